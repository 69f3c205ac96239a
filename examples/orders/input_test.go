package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A badOrder is a request body that is no order.
type badOrder struct {
	what        string
	body        string
	contentType string // "" is JSON's, "-" is none
	status      int
	detail      string // part of it
}

// orderJSON is an order of these items.
func orderJSON(items string) string {
	return `{"customer_id": "c-1", "email": "you@example.com", "items": ` + items + `}`
}

func orderFrom(customer, email string) string {
	return `{"customer_id": "` + customer + `", "email": "` + email + `", "items": [{"id": "apple", "quantity": 1}]}`
}

const goodItems = `[{"id": "apple", "quantity": 1}]`

// badOrders are refused before there is a look into the database.
var badOrders = []badOrder{
	{"no body", "", "", 400, "incomplete"},
	{"half an object", `{"customer_id": "c`, "", 400, "incomplete"},
	{"no JSON", "customer_id=c-1", "", 400, "invalid character"},
	{"a trailing comma", orderJSON(`[{"id": "apple", "quantity": 1},]`), "", 400, "invalid character"},
	{"two values", orderJSON(goodItems) + orderJSON(goodItems), "", 400, "more than one"},
	{"an order and garbage", orderJSON(goodItems) + "garbage", "", 400, "more than one"},
	{"an array", "[]", "", 400, "cannot unmarshal array"},
	{"a string for a number", orderJSON(`[{"id": "apple", "quantity": "1"}]`), "", 400, "cannot unmarshal string"},
	{"a number for a string", orderJSON(`[{"id": 1, "quantity": 1}]`), "", 400, "cannot unmarshal number"},
	{"part of an item", orderJSON(`[{"id": "apple", "quantity": 1.5}]`), "", 400, "cannot unmarshal number"},
	{"more than an integer holds", orderJSON(`[{"id": "apple", "quantity": 99999999999999999999}]`), "", 400, "cannot unmarshal number"},
	{"an unknown field", `{"customer": "c-1"}`, "", 400, `unknown field "customer"`},
	{"an unknown field of an item", orderJSON(`[{"id": "apple", "quantity": 1, "price": 0}]`), "", 400, `unknown field "price"`},

	{"null", "null", "", 422, "email"},
	{"an empty object", "{}", "", 422, "email"},
	{"no e-mail address", orderFrom("c-1", ""), "", 422, "email"},
	{"a bad e-mail address", orderFrom("c-1", "you"), "", 422, "email"},
	{"a header in the e-mail address", orderFrom("c-1", `you@example.com\r\nBcc: all@example.com`), "", 422, "email"},
	{"two e-mail addresses", orderFrom("c-1", "you@example.com,me@example.com"), "", 422, "email"},
	{"a long e-mail address", orderFrom("c-1", strings.Repeat("x", 250)+"@example.com"), "", 422, "email is too long"},
	{"a header in the customer ID", orderFrom(`c-1\r\nBcc: all@example.com`, "you@example.com"), "", 422, "customer_id"},
	{"a long customer ID", orderFrom(strings.Repeat("x", 255), "you@example.com"), "", 422, "customer_id"},
	{"no items", orderJSON("[]"), "", 422, "items"},
	{"null for items", orderJSON("null"), "", 422, "items"},
	{"too many items", orderJSON("[" + strings.Repeat(`{"id": "apple", "quantity": 1},`, 100) + `{"id": "pear", "quantity": 1}]`), "", 422, "items"},
	{"an item without ID", orderJSON(`[{"quantity": 1}]`), "", 422, "items[0]: id"},
	{"an item without quantity", orderJSON(`[{"id": "apple"}]`), "", 422, "items[0]: quantity"},
	{"none of an item", orderJSON(`[{"id": "pear", "quantity": 1}, {"id": "apple", "quantity": 0}]`), "", 422, "items[1]: quantity"},
	{"less than none", orderJSON(`[{"id": "apple", "quantity": -1}]`), "", 422, "items[0]: quantity"},
	{"more than there can be", orderJSON(`[{"id": "apple", "quantity": 1000001}]`), "", 422, "items[0]: quantity"},

	{"no content type", orderJSON(goodItems), "-", 415, "application/json"},
	{"a form", orderJSON(goodItems), "application/x-www-form-urlencoded", 415, "application/json"},
	{"plain text", orderJSON(goodItems), "text/plain", 415, "application/json"},
	{"another JSON", orderJSON(goodItems), "application/jsonx", 415, "application/json"},
	{"a broken content type", orderJSON(goodItems), "application/json; charset", 415, "application/json"},

	{"10 MB of a string", `{"customer_id": "` + strings.Repeat("x", 10<<20) + `"}`, "", 413, "larger than 1048576 bytes"},
	{"10 MB of items", orderJSON("[" + strings.Repeat(`{"id": "apple", "quantity": 1},`, 10<<20/31) + `{"id": "pear", "quantity": 1}]`), "", 413, "larger than 1048576 bytes"},
	{"10 MB of space after it", orderJSON(goodItems) + strings.Repeat(" ", 10<<20), "", 413, "larger than 1048576 bytes"},
	{"10 MB of space before it", strings.Repeat(" ", 10<<20) + orderJSON(goodItems), "", 413, "larger than 1048576 bytes"},
	{"10 MB of garbage", strings.Repeat("x", 10<<20), "", 400, "invalid character"},
}

func (b badOrder) header() http.Header {
	switch b.contentType {
	case "":
		return http.Header{"Content-Type": {"application/json"}}
	case "-":
		return http.Header{}
	}
	return http.Header{"Content-Type": {b.contentType}}
}

// read does what the handler does with a body before it looks into the database.
func read(body string, header http.Header) (orderInput, error) {
	r := httptest.NewRequest(http.MethodPost, "/orders", strings.NewReader(body))
	r.Header = header
	r.Body = http.MaxBytesReader(httptest.NewRecorder(), r.Body, maxBody)
	var in orderInput
	if err := decode(r, &in); err != nil {
		return in, err
	}
	return in, in.check()
}

func TestBadOrdersAreProblems(t *testing.T) {
	for _, bad := range badOrders {
		t.Run(bad.what, func(t *testing.T) {
			_, err := read(bad.body, bad.header())
			var p *Problem
			require.ErrorAs(t, err, &p)
			assert.Equal(t, bad.status, p.Status)
			assert.Equal(t, http.StatusText(bad.status), p.Title)
			assert.Contains(t, p.Detail, bad.detail)
		})
	}
}

func TestGoodOrdersAreRead(t *testing.T) {
	most := strings.Repeat("x", 254)
	for what, body := range map[string]string{
		"a small one":          orderJSON(goodItems),
		"space around it":      " \n" + orderJSON(goodItems) + "\n\n",
		"no customer ID":       `{"email": "you@example.com", "items": ` + goodItems + `}`,
		"a long customer ID":   orderFrom(most, "you@example.com"),
		"letters of all sorts": orderFrom("Zoë 株式会社", "you+shop@sub.example.com"),
		"the largest quantity": orderJSON(`[{"id": "apple", "quantity": 1000000}]`),
		"many items":           orderJSON("[" + strings.Repeat(`{"id": "apple", "quantity": 1},`, 99) + `{"id": "pear", "quantity": 1}]`),
	} {
		t.Run(what, func(t *testing.T) {
			in, err := read(body, http.Header{"Content-Type": {"Application/JSON; charset=utf-8"}})
			require.NoError(t, err)
			assert.NotEmpty(t, in.Items)
		})
	}
}
