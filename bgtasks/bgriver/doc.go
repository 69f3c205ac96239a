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
// What one call of [Queue.Add] or [Queue.AddTx] is given is a unit: one job of River, whose steps
// run one after the other. A step that has ended well is recorded and not run again. One that
// fails (an error, a panic, its timeout) ends the attempt; River runs the unit again, from that
// step on, by its schedule. An attempt, all its steps together, may take Config.River.JobTimeout,
// a minute unless you set it, however long the steps' own timeouts are. A unit whose attempts are
// used up is kept, as discarded, and logged at Error with the names of its steps. (Should a
// process be killed in a unit's last attempt, River discards the unit without a word to anybody:
// it is kept and visible all the same. The default is 25 attempts.)
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
// All units are jobs of one kind to River, which has the tasks among the arguments. So unique
// options without ByArgs, by which a unit could be taken for one of another task and lost, are
// refused. ByArgs looks at all arguments of all steps: keep out of them what should make no
// difference, such as the time or the request's ID.
//
// With ByPeriod, what counts is the period in which the unit is to start. In a handler that is
// when its lease ends, Config.Lease after it was added; where there is no response to wait for
// it is now. A unit that a handler adds 10 seconds before midnight is tomorrow's.
//
// # Several processes
//
// One of the processes that work on the same tables is River's leader. It ends leases, and takes
// back the units of processes that were killed, for all of them. Therefore:
//
//   - Every River client that is started on these tables must be one that has opened a queue. A
//     plain one, once it is the leader, discards a killed process's units, as it does not know
//     their kind; and if it works on the same queue of River's, it uses up their attempts. Give
//     it a database, or a Config.River.Schema, of its own. (One that has LeaderElectionDisabled and
//     other queues of River's does no harm, nor does one that only inserts and is not started.)
//     Likewise a queue must have the workers for all other kinds there are, in
//     Config.River.Workers.
//   - The leader's JobTimeout and RescueStuckJobsAfter are applied to the units of all. To give
//     units more time, raise both in every process before a step relies on it: until then, a unit
//     that takes longer may be given to another process while it runs.
//   - The machines' clocks must agree, to within a few seconds. A lease is made by the clock of
//     the process that stores the unit, and ended by the database's. If that is ahead by 20 seconds,
//     a unit with a lease of 30 starts after 10, whether its response has been sent or not; if it, or
//     the leader's, is behind, a unit whose process died before the response waits for so much
//     longer. If the leader's is ahead of the database's by more than 15 seconds (by which
//     RescueStuckJobsAfter exceeds JobTimeout), a unit that needs all of its JobTimeout is given
//     to another process while it runs.
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
