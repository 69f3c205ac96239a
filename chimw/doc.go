// Package chimw runs the tasks of package bgtasks after the responses of a chi router.
//
//	runner := bgtasks.New(bgtasks.Config{})
//	r := chi.NewRouter()
//	r.Use(middleware.RequestID, chimw.BackgroundTasks(runner))
//	r.Post("/orders", func(w http.ResponseWriter, r *http.Request) {
//		if err := bgtasks.Add(r.Context(), "send mail", sendMail); err != nil {
//			http.Error(w, "busy", http.StatusServiceUnavailable)
//			return
//		}
//		render.JSON(w, r, answer)
//	})
//	err := chimw.ListenAndServe(ctx, &http.Server{Addr: ":8080", Handler: r}, runner, 30*time.Second)
//
// # When the response has been sent
//
// ListenAndServe and Serve attach to the server; [Attach] does that for a server that is
// run in another way. Tasks of an attached server start
//
//   - on HTTP/1.1, after the last byte of the response has been handed to the operating
//     system: net/http reports the connection idle or closed then (http.ConnState), and
//     not before;
//   - on HTTP/2, when the stream has been closed, a settling time of 4 ms has passed (while
//     other responses with tasks are ending on the connection, up to 16 ms), and the connection has
//     no write under way. net/http has no signal for the moment at which
//     the last frame has been written. On a machine whose processors are all busy a task
//     can start before that;
//   - on a connection that the handler has hijacked, when the handler returns;
//   - whatever the protocol, when the response is stuck for Config.SendTimeout. While it is copied from a
//     connection that cannot be seen, nor, except on Linux, while it is sent from a file without TLS: both
//     count as getting on.
//
// Without Attach the tasks start when the handler chain has returned (or middleware outside that
// has put a context of its own into the request, as chi's Timeout does) and a settling time
// has passed, which is not after every response, and a warning says so once. With no
// server at all (httptest.ResponseRecorder) they start when the middleware returns.
//
// # Where to put the middleware
//
// Outside BackgroundTasks, that is before it in Use, belong:
//
//   - chi's Compress, and any other middleware that pools its own writer or encoder: a task
//     that writes to such a writer, further in, would write into another response;
//   - RequestSize and http.MaxBytesReader: they close the connection by way of an unexported
//     method of net/http's writer, which no wrapper can have;
//   - http.TimeoutHandler, around the whole router: inside one it returns while the handler
//     runs on, and chi itself goes on using a route context that it has given back by then. On
//     HTTP/2 it hides the end of the stream: tasks start 5 ms after it has returned, also while
//     a client is reading the response slowly.
//
// Everything else can be on either side. A task sees the values of the context that Add was
// given, those of middleware further in included. Middleware outside that asks for
// CloseNotify on HTTP/2 may take the one value that net/http sends: the list then starts by
// Config.SendTimeout.
//
// Installed on a router, a subrouter, in a group or by With, the chi route context that a
// task sees is its request's own, through the task's context and through a captured
// *http.Request; so too directly around a chi router. With other middleware between it and
// the router that it is around, only through the task's context.
//
// The response is the same with the middleware as without it. Once the handler has
// returned, the writer that it was given is sealed: a task that writes to it reaches no
// socket, gets [bgtasks.ErrResponseSent] and is logged.
//
// A task that Config.SendTimeout has started while its handler is stuck in a write is kept out
// in the same way from the beginning, though the response is not over: when the client reads on,
// the handler completes it. That holds for what the task itself calls, on its own goroutine or
// that on which its middleware has called it. A goroutine that it starts is kept out only while
// the handler is in that write (not from deadlines, nor from what Unwrap returns): from when the
// handler goes on until it returns nothing tells such a goroutine from the handler's own. There
// the two would write at once, so it must leave the response alone.
//
// Of the optional methods of a writer those of net/http's own are passed on, where the writer
// has them. Others, such as those of quic-go's HTTP/3 (http3.HTTPStreamer, http3.Settingser), are
// found by way of Unwrap until the handler returns:
//
//	w.(interface{ Unwrap() http.ResponseWriter }).Unwrap().(http3.HTTPStreamer)
package chimw
