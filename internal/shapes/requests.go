package shapes

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/render"
)

// requests are the shapes that depend on the body of the request and on deadlines.
func requests() []Shape {
	expect := map[string]string{"Expect": "100-continue"}
	outside := []func(http.Handler) http.Handler{middleware.RequestSize(4)}
	return []Shape{
		{Name: "echo", Method: http.MethodPost, Body: "ping", Handler: echo},
		{Name: "echo of 100 kB", Method: http.MethodPost, Body: large, Handler: echo},
		{Name: "body left unread", Method: http.MethodPost, Body: "ping", Handler: text},
		{Name: "body never sent", Method: http.MethodPost, Body: large + large + large, SendBody: Never, Handler: text},
		{Name: "Expect, body read", Method: http.MethodPost, Body: "ping", Header: expect,
			SendBody: AfterContinue, Handler: echo},
		{Name: "Expect, body not wanted", Method: http.MethodPost, Body: "ping", Header: expect,
			SendBody: AfterContinue, Handler: status(http.StatusExpectationFailed, "no")},
		{Name: "full duplex", Method: http.MethodPost, Body: "ping", SendBody: AfterHead, Handler: duplex},
		{Name: "RequestSize outside, kept", Method: http.MethodPost, Body: "ping", Outside: outside, Handler: echo},
		{Name: "RequestSize outside, exceeded", Method: http.MethodPost, Body: large, Outside: outside, Handler: echo},
		{Name: "read deadline", Method: http.MethodPost, Body: "ping", SendBody: Never, Handler: tooLate},
		{Name: "write deadline far away", Handler: func(w http.ResponseWriter, _ *http.Request) {
			err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Hour))
			_, _ = fmt.Fprint(w, err)
		}},
	}
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		render.Status(r, http.StatusRequestEntityTooLarge)
	}
	render.PlainText(w, r, fmt.Sprint(string(body), err))
}

func duplex(w http.ResponseWriter, r *http.Request) {
	err := http.NewResponseController(w).EnableFullDuplex()
	_, _ = fmt.Fprintln(w, "full duplex:", err)
	flush(w)
	echo(w, r)
}

func tooLate(w http.ResponseWriter, r *http.Request) {
	if err := http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0)); err != nil {
		panic(err)
	}
	_, err := r.Body.Read(make([]byte, 1))
	render.PlainText(w, r, fmt.Sprint("deadline: ", err != nil))
}
