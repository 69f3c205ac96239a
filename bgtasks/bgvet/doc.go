// Package bgvet finds background tasks that compile and go wrong when they run.
//
// A function that is handed to bgtasks.Add runs when its request has been answered. Much of what
// the handler had is no longer there by then, and no compiler or linter says so. Analyzer does,
// for functions that are handed to Add directly, through a variable or a table, by bgtasks.Bind,
// as a method value, in a middleware or an option, or through a helper of the same package:
//
//  1. a captured http.ResponseWriter, or what writes to one: its response has been sent;
//  2. a captured *http.Request's body, form or file handles, and handing it on: the body is
//     closed. Fields that are safe to read and chi.URLParam are not reported, nor are forms that
//     the handler has parsed before;
//  3. a captured context of the request, or context.Background(), in place of the task's own: the
//     one has ended, the other never ends. Asking it for values is not reported;
//  4. a captured variable that the handler changes after Add: the task sees the change. What a
//     pointer leads to is not looked at: who shares that means to;
//  5. an Add whose error is dropped without "_ =": a refused task does not run, and nobody is told;
//  6. a deferred release in the handler (Close, Rollback, cancel, Unlock, sync.Pool.Put) of
//     something that the task uses: it is released first;
//  7. Compress further in than BackgroundTasks, where the placement can be seen;
//  8. a plain go statement in a handler that does what Add is for; off by default: flag
//     -goroutines.
//
// In doubt it is silent: it follows values through one package only, and not through maps,
// channels and interfaces.
//
// A comment "//bgvet:ignore reason" silences what is reported on its line or, where it has a line
// of its own, on the next. Without a reason it does nothing, and is itself reported.
//
// # The commands
//
//	go install github.com/chi-bgtasks/chi-bgtasks/bgtasks/bgvet/cmd/bgvet@latest
//	go vet -vettool=$(which bgvet) ./...   # as a tool of go vet
//	bgvet ./...                            # or on its own; -fix applies what is safe to fix
//
// cmd/bgvetall does all of go vet as well, in one run, in about the time of go vet alone.
//
// # How good it is
//
// Somebody who had not seen it wrote 40 handlers with one mistake each, of checks 1 to 7, and 40
// without any that look like them (testdata/src/seeds). The first run found 33 of the 40 and
// reported nothing in the others; what was missed were a range clause that assigns, a method
// value with a pointer receiver, a file in a struct that is bound, an embedded mutex, a
// subscription and its cancel function, a mounted router, and a middleware list put together step
// by step. It finds all 40 today, and still reports nothing in the others: a test counts them.
// FIELD.md has what it says about other people's code, and what it costs.
package bgvet
