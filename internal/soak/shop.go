package main

import (
	"bufio"
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
)

// The requests to orders that have tasks.

const asJSON = "application/json"

var stepFaults = []string{"", "", "", "validate order=fail", "update inventory=panic", "send confirmation=panic",
	"notify fulfilment=fail", "update inventory=fail,send confirmation=fail"}

// order sends an order, of which one step may be asked to fail.
func (c *client) order() { c.orderWith(stepFaults[c.random.IntN(len(stepFaults))]) }

func (c *client) orderWith(fault string) {
	a, r := c.anOrder(fault)
	status, body := c.askShop(a, r)
	c.ordered(a, status, body)
}

// anOrder notes and returns an order that is about to be sent.
func (c *client) anOrder(fault string) (*asked, shopRequest) {
	a := c.orders.asks("order")
	if fault != "" {
		c.report.fault("step of an order fails")
	}
	return a, shopRequest{http.MethodPost, "/orders", asJSON,
		`{"customer_id": "` + a.id + `", "email": "you@example.com", "items": [{"id": "apple", "quantity": 1}]}`, fault}
}

// ordered notes the answer to an order.
func (c *client) ordered(a *asked, status int, body []byte) {
	if status == http.StatusCreated {
		c.orders.isStored(a, body, "order_id")
	}
}

// pipelineOrders sends some orders in one write, and reads their answers.
func (c *client) pipelineOrders() {
	conn := dial(c.orders.addr())
	if conn == nil {
		return
	}
	defer conn.Close()
	var all []*asked
	var wire bytes.Buffer
	for range 2 + c.random.IntN(6) {
		a, r := c.anOrder(stepFaults[c.random.IntN(len(stepFaults))])
		serialize(c.forShop(a, r), &wire)
		all = append(all, a)
	}
	go func() { _, _ = conn.Write(wire.Bytes()) }()
	in := bufio.NewReader(conn)
	for _, a := range all {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			c.orders.unanswered(a, err)
			return
		}
		status, body := c.orders.answered(a, res)
		c.ordered(a, status, body)
		if status == 0 || res.Close {
			return
		}
	}
	_ = conn.CloseWrite()
	if rest, _ := io.ReadAll(in); len(rest) > 0 {
		c.report.isForeign("after the answer to %s: %.200q", all[len(all)-1].id, rest)
	}
	c.report.fault("pipelined orders")
}

// image uploads one, or something that is none.
func (c *client) image() {
	a := c.orders.asks("image")
	file := c.picture()
	if a.fails = c.random.IntN(5) == 0; a.fails {
		c.report.fault("image is none")
		file = bytes.Repeat([]byte("no image\n"), 1+c.random.IntN(5000))
	}
	var form bytes.Buffer
	parts := multipart.NewWriter(&form)
	_ = parts.WriteField("user_id", "7")
	part, _ := parts.CreateFormFile("image", a.id) // its name says whose it is
	_, _ = part.Write(file)
	_ = parts.Close()
	status, body := c.askShop(a, shopRequest{http.MethodPost, "/images", parts.FormDataContentType(), form.String(), ""})
	if status == http.StatusAccepted {
		c.orders.isStored(a, body, "image_id")
	}
}

// picture is a small image of noise.
func (c *client) picture() []byte {
	picture := image.NewGray(image.Rect(0, 0, 50+c.random.IntN(250), 50+c.random.IntN(250)))
	for i := range picture.Pix {
		picture.Pix[i] = color.Gray{Y: uint8(c.random.Uint32())}.Y
	}
	var file bytes.Buffer
	_ = (&png.Encoder{CompressionLevel: png.NoCompression}).Encode(&file, picture)
	return file.Bytes()
}

const mostDays = 36_500 // of a report

// salesReport asks for a report of as many days as say whose it is.
func (c *client) salesReport() {
	a := c.orders.asks("report")
	if a.n > mostDays {
		return
	}
	status, body := c.askShop(a, shopRequest{http.MethodPost, "/reports", asJSON, fmt.Sprintf(`{"type": "sales", "filters": {"days": %d}}`, a.n), ""})
	if status == http.StatusAccepted {
		c.orders.isStored(a, body, "report_id")
	}
}

// customer stores one, of whom the CRM is told.
func (c *client) customer() {
	a := c.orders.asks("customer")
	a.fails = crmRefuses(a.id)
	c.putCustomer(a, a.id)
}

func (c *client) putCustomer(a *asked, id string) {
	status, _ := c.askShop(a, shopRequest{http.MethodPut, "/customers/" + id, asJSON, `{"name": "` + id + `", "email": "you@example.com"}`, ""})
	if status == http.StatusOK {
		c.orders.is(a, id)
	}
}

// delivery makes a new item, and imports a delivery of it.
func (c *client) delivery() {
	item := c.orders.asks("item")
	name := item.id
	status, _ := c.askShop(item, shopRequest{http.MethodPost, "/items", asJSON, `{"id": "` + name + `", "name": "` + name + `", "stock": 0}`, ""})
	if status != http.StatusCreated {
		return
	}
	c.orders.is(item, name)
	lines := 1 + c.random.IntN(50)
	text, quantity, fails := strings.Repeat(name+",3\n", lines), 3*lines, false
	switch c.random.IntN(6) {
	case 0:
		c.report.fault("import is malformed")
		text, quantity, fails = text+name+",many\n", 0, true
	case 1:
		c.report.fault("import of an unknown item")
		text, quantity = text+"nothing,1\n", 0
	}
	a := c.orders.asksDelivery(item, quantity, fails)
	if status, _ = c.askShop(a, shopRequest{http.MethodPost, "/imports", "text/csv", text, ""}); status == http.StatusAccepted {
		c.orders.is(a, name)
	}
}

func (o *orders) asksDelivery(item *asked, quantity int, fails bool) *asked {
	a := o.asks("import")
	o.mu.Lock()
	defer o.mu.Unlock()
	a.quantity, a.fails, item.delivery = quantity, fails, a
	return a
}

// hangShop asks for tasks that only the shutdown's deadline ends.
func (c *client) hangShop(life int) {
	if life%2 == 0 {
		c.report.fault("step of an order hangs")
		c.orderWith("notify fulfilment=hang")
	}
	if life%3 == 0 {
		c.report.fault("CRM hangs")
		a := c.orders.asks("hang")
		c.putCustomer(a, a.id)
	}
}
