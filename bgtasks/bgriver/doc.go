// Package bgriver keeps tasks in a database until they are done, so that none is lost with the
// process: in an embedded SQLite file, or in Postgres, where several machines share the work.
// Storage, claiming, retries and the user interface are those of River
// (github.com/riverqueue/river); this package connects it to a request and to a
// bgtasks.Runner.
//
// A task is defined once, with an argument that JSON can carry:
//
//	var SendMail = bgriver.Define("send mail", sendMail, bgtasks.Timeout(10*time.Second))
//
// and is added in memory or durably, the calls differing in one word:
//
//	err := bgriver.Add(ctx, SendMail.With(mail)) // in memory, as bgtasks.Add does
//	err := queue.Add(ctx, SendMail.With(mail))   // stored when Add returns
//	err := queue.AddTx(ctx, tx, Reserve.With(order), SendMail.With(mail)) // stored when tx commits
//
// # Units
//
// What one call of [Queue.Add] or [Queue.AddTx] is given is a unit: one job of River, whose
// steps run one after the other. A step that has ended well is recorded and not run again. One
// that fails (an error, a panic, its timeout) ends the attempt; River runs the unit again, from
// that step on, by its schedule. A unit whose attempts are used up is kept, as discarded, and
// logged at Error with the names of its steps. (Should a process be killed in a unit's last
// attempt, River discards the unit without a word to anybody: it is kept and visible all the
// same. The default is 25 attempts.)
//
// A unit starts when the response of the request that added it has been sent, or when its lease
// (Config.Lease) has run out, whichever comes first: so it runs, on whichever node, if the
// process dies before the answer. Where there is no response to wait for (in a task, in a
// program without requests) it starts at once.
//
// # At least once
//
// Every step of a stored unit runs at least once, and can run more than once: when the process
// is killed, or the database lost, between what the step does and the record of it. So a step
// must do no harm when it is repeated. Two ways to see to that:
//
//   - hand [Key], which is the same for every run of that step of that unit, to whom you call
//     (Idempotency-Key of a payment service, a UNIQUE column of your own);
//   - do the work in the transaction that records it ([DefineTx]): then it is done exactly once.
//
// A step that does not return when its context ends can run twice at the same time: River takes
// a unit for lost when it has been running for RescueStuckJobsAfter, which is JobTimeout and 15
// seconds unless Config.River says otherwise. Give steps a timeout and heed the context. An attempt
// that has been overtaken so does no further step, sets nothing back, and what it did by [DefineTx] is undone;
// its end disturbs the attempt that has the unit, whose step may run once more.
//
// # Taking something back
//
// Roll back the transaction that it was added in. Cancelling a unit (Client().JobCancel, River UI)
// works at any time, but on Postgres not in the first 100 ms, if its response is sent in them, nor in the very
// moment of that: River makes such a unit available all the same.
//
// # What is carried
//
// A step's context has the request ID (for chi's middleware.GetReqID too), the route's pattern
// and the trace parent (W3C traceparent) of the request, and nothing else of what was in the
// handler's context. bgtasks.InfoFrom tells about the step: Position is that in the unit, Attempt
// is River's. Runner.Use, Observe, Stats and the log are the same as for tasks in memory. When and
// Needs, which look at a request, are refused. Retry repeats the step within one attempt of
// the unit.
//
// # Adding something once
//
// River's unique options say what makes two units the same; a unit that is there already is not
// stored a second time, and adding it is no error:
//
//	once := queue.With(river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true}})
//	err := once.Add(ctx, Invoice.With(order))
//
// # Figures
//
// River looks for units that have been released every Config.River.FetchPollInterval, which
// is 100 ms here: a step starts some 50 ms after the response, 100 ms at the most, on a machine that
// is not busy. Its rescuer looks every 30 s, so the unit that a killed process was running is taken
// up RescueStuckJobsAfter plus up to 35 s after it was begun; one that had been released and not begun,
// at once; one whose response had not been sent, when its lease has run out. If the process that
// died was River's leader, another becomes it first, up to 15 s later: a unit with a lease of
// 10 s was seen to start 16 to 22 s after it was stored.
//
// River calls its SQLite driver young. The database has to be opened for many writers: see
// [OpenSQLite].
package bgriver
