package chimw_test

import (
	"context"
	"net/http"
)

// bhAlarm is a context whose deadline passes when its handler says so: a timeout that
// comes neither too early nor late on a busy machine.
type bhAlarm struct {
	context.Context
	rung     chan struct{}
	answered chan struct{} // closed when the middleware has returned
}

type bhAlarmKey struct{}

func (a *bhAlarm) Done() <-chan struct{} { return a.rung }

func (a *bhAlarm) Err() error {
	select {
	case <-a.rung:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// bhExpiring has the deadline of timeout pass in a handler that calls bhExpire.
func bhExpiring(timeout bhHTTPMiddleware) bhHTTPMiddleware {
	return func(next http.Handler) http.Handler {
		next = timeout(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			alarm := &bhAlarm{r.Context(), make(chan struct{}), make(chan struct{})}
			defer close(alarm.answered)
			next.ServeHTTP(w, r.WithContext(context.WithValue(alarm, bhAlarmKey{}, alarm)))
		})
	}
}

func bhExpire(r *http.Request) *bhAlarm {
	alarm := r.Context().Value(bhAlarmKey{}).(*bhAlarm)
	close(alarm.rung)
	<-r.Context().Done()
	return alarm
}
