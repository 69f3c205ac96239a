package chimw

import (
	"reflect"
	"runtime"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// A list that Config.SendTimeout starts while its handler is stuck in a write runs beside that
// handler, whose response is not over: when the client reads on, it is completed as if nothing
// had happened. So its writer cannot be sealed, and yet its tasks must not use it: net/http's
// writers are for one goroutine at a time, and the bytes would be the client's. What tells the
// two apart, from then on, is
//
//   - for as long as the handler is inside that one call: any other call is not its own.
//     (Deadlines are an exception, and so is Unwrap by way of which they may have to be found:
//     setting one is how a handler's other goroutine puts an end to a write that is stuck);
//   - at any time, where the call comes from. Go does not tell which goroutine it is in, but
//     what is on its stack: a handler has the middleware below it, a task its runner.
//
// Nothing tells a goroutine that a task has started from one that a handler has, so once the
// handler goes on, it is let in.

// late is called before the list's tasks start, with the handler inside a call, unless it has
// gone on that very moment.
func (c *calls) late() {
	if c.Or(lateBit)%step < call {
		c.Or(resumedBit)
	}
}

// enterLate decides about a call that has been counted as under way, the count being n then,
// where the writer is sealed or the list was started late. beside says that the handler may make
// it while it is inside another.
func (c *calls) enterLate(n uint64, beside bool) bool {
	alone := beside || n&resumedBit != 0 || n%step < 2*call
	if n&sealedBit == 0 && alone && !inTask() {
		return true
	}
	c.Add(^uint64(call - 1)) // minus call
	return false
}

// enterBeside is enter for a call that the handler may make while it is inside another, such
// as setting a deadline. If it is true, leaveBeside is called after it.
func (c *calls) enterBeside() bool {
	n := c.Add(call)
	return n&(sealedBit|lateBit) == 0 || c.enterLate(n, true)
}

// leaveBeside says nothing of the call beside: whoever is inside that gets no further by it.
func (c *calls) leaveBeside() { c.Add(^uint64(call - 1)) }

var (
	ofHandler = reflect.TypeFor[exchange]().PkgPath() + ".(*exchange).serve"

	core   = reflect.TypeFor[bgtasks.Runner]().PkgPath()
	ofTask = map[string]bool{
		core + ".(*attempt).runNow": true,
		core + ".(*attempt).call":   true, // its conditions
		core + ".call":              true, // where middleware has called it in another goroutine
	}
)

// inTask reports whether the caller was called by a task, and not by a handler (of a request
// that a task serves, it may be).
func inTask() bool {
	var pcs [32]uintptr
	for skip := 2; ; skip += len(pcs) {
		n := runtime.Callers(skip, pcs[:])
		if n == 0 {
			return false
		}
		for frames, more := runtime.CallersFrames(pcs[:n]), true; more; {
			var frame runtime.Frame
			frame, more = frames.Next()
			if frame.Function == ofHandler {
				return false
			}
			if ofTask[frame.Function] {
				return true
			}
		}
	}
}
