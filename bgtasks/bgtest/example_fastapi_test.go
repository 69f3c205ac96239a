package bgtest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/render"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgtest"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
)

type email struct{ Recipient, Subject, Body string }

// newTestApp is the application of the section "Testing" of FastAPI's documentation. What
// its tasks call is handed in: that is what a test replaces, where Python patches a module.
func newTestApp(runner *bgtasks.Runner, sendEmail func(context.Context, email) error, logMessage func(context.Context, string) error) http.Handler {
	r := chi.NewRouter()
	r.Use(chimw.BackgroundTasks(runner))
	r.Post("/test-endpoint", func(w http.ResponseWriter, r *http.Request) {
		var data map[string]string
		if err := render.DecodeJSON(r.Body, &data); err != nil {
			http.Error(w, "not JSON", http.StatusBadRequest)
			return
		}
		_ = bgtasks.Add(r.Context(), "send email", bgtasks.Bind(sendEmail,
			email{"test@example.com", "Test Subject", "Test body: " + data["message"]}))
		_ = bgtasks.Add(r.Context(), "log", bgtasks.Bind(logMessage, fmt.Sprint("Processed data: ", data)))
		render.JSON(w, r, map[string]string{"status": "success"})
	})
	return r
}

// def test_background_tasks(): the functions are replaced by some that write down what they
// are called with. No lock is needed, as the tasks have ended when Do returns.
func Example_fastapiTesting() {
	t := &exampleT{} // in a test, its *testing.T
	defer t.endOfTest()

	var sentEmails []email
	var loggedMessages []string
	mockSendEmail := func(_ context.Context, m email) error { sentEmails = append(sentEmails, m); return nil }
	mockLogMessage := func(_ context.Context, s string) error { loggedMessages = append(loggedMessages, s); return nil }

	k := bgtest.New(t, bgtasks.Config{})
	app := newTestApp(k.Runner, mockSendEmail, mockLogMessage)

	// Make request
	response := k.Do(app, httptest.NewRequest("POST", "/test-endpoint", strings.NewReader(`{"message": "test"}`)))

	// Check response
	var answer map[string]string
	if err := json.Unmarshal(response.Body.Bytes(), &answer); err != nil {
		t.Errorf("%v", err)
	}
	fmt.Println(response.Code, answer["status"])

	// Check background tasks were executed
	k.WantRan("send email", "log")
	fmt.Println(len(sentEmails), sentEmails[0].Recipient, sentEmails[0].Subject)
	fmt.Println(strings.Contains(sentEmails[0].Body, "test"))
	fmt.Println(len(loggedMessages), strings.Contains(loggedMessages[0], "test"))
	// Output:
	// 200 success
	// 1 test@example.com Test Subject
	// true
	// 1 true
}

// @patch('your_module.actual_send_email'): what Python's Mock is asked for is there without
// one, and a mock of your choice can be handed in all the same.
func Example_fastapiMocks() {
	t := &exampleT{}
	defer t.endOfTest()

	var calls []email
	k := bgtest.New(t, bgtasks.Config{})
	app := newTestApp(k.Runner,
		func(_ context.Context, m email) error { calls = append(calls, m); return nil },
		func(context.Context, string) error { return nil })
	request := func() *http.Request {
		return httptest.NewRequest("POST", "/test-endpoint", strings.NewReader(`{"message": "test"}`))
	}

	// mock.assert_called_once(): Task wants just one task of that name
	k.Do(app, request())
	fmt.Println("called once:", k.Task("send email").Kind == bgtasks.Finished)

	// mock.assert_called_once_with(...)
	fmt.Println("with", calls)

	// mock.side_effect = ConnectionError("down"): the task is not called, its middleware and Retry are
	k.Fail("send email", fmt.Errorf("down"))
	k.Do(app, request())
	fmt.Println("calls:", len(calls), "second email:", k.Tasks()[2].Err)
	// Output:
	// called once: true
	// with [{test@example.com Test Subject Test body: test}]
	// calls: 1 second email: down
}
