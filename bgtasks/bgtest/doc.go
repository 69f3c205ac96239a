// Package bgtest tests handlers whose work goes on after the response.
//
//	func TestRegister(t *testing.T) {
//		k := bgtest.New(t, bgtasks.Config{})
//		app := newApp(k.Runner) // the router as in production
//
//		res := k.Do(app, httptest.NewRequest("POST", "/register/ann@example.com", nil))
//		if res.Code != http.StatusOK {
//			t.Error(res.Body)
//		}
//		k.WantRan("write log", "send mail") // they have, when Do returns
//	}
//
// A Kit's runner is a real one: tasks take the same way through the middleware, limits,
// retries, timeouts and recovery as in production. What the kit adds:
//
//   - [Kit.Do] returns when the tasks have ended; so does the client of a [Kit.NewServer]
//     (HTTP/1.1) or [Kit.NewTLSServer] (HTTP/2). Tasks that take longer than Kit.Deadline
//     fail the test, by name.
//   - [Kit.Ran], [Kit.Task], [Kit.Tasks] and [Kit.Names] tell what became of the tasks;
//     [Kit.WantRan] and [Kit.Want] say what should have.
//   - [Kit.Fail], [Kit.Panic] and [Kit.Hang] put a fault in the place of a task.
//   - [Kit.Hold] keeps tasks from starting; [Kit.Next] lets them go one at a time.
//   - A task that fails fails the test, unless the kit has put the fault there or
//     [Kit.ExpectFailure] has said so.
//   - The runner's log is the test's log.
//   - When the test ends, no task goes on behind its back.
//
// Kits share nothing, so tests can be parallel. In a testing/synctest bubble, make the kit
// inside and use Do: timeouts and the pauses between attempts pass at once.
package bgtest
