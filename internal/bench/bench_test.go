package main

import (
	"fmt"
	"math"
	"net/http"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
)

func TestEveryRowCanBeMeasured(t *testing.T) {
	for _, r := range rows() {
		t.Run(r.what+", "+r.baseline, func(t *testing.T) {
			b := bench{short: true, rounds: 1}
			if res := b.run(r); math.IsNaN(res.ours) {
				t.Errorf("no figure: %+v", res)
			}
		})
	}
}

// These are the hot paths for profiles: see the Makefile's target profile. Comparisons are
// what the command makes.

func BenchmarkRequest(b *testing.B) {
	for _, tasks := range []int{0, 1, 4} {
		b.Run(fmt.Sprintf("tasks=%d", tasks), func(b *testing.B) {
			b.ReportAllocs()
			servingTasks(oursWith(tasks), tasks)(b.N)
		})
	}
}

func BenchmarkRequestTogether(b *testing.B) {
	for _, tasks := range []int{0, 1, 4} {
		b.Run(fmt.Sprintf("tasks=%d", tasks), func(b *testing.B) {
			b.ReportAllocs()
			servingTogether(oursWith(tasks), tasks)(b.N)
		})
	}
}

func BenchmarkObserved(b *testing.B) {
	b.ReportAllocs()
	watched := newRunner()
	watched.Observe(func(bgtasks.Event) {})
	servingTasks(oursOn(watched, 4), 4)(b.N)
}

func BenchmarkInspected(b *testing.B) {
	b.ReportAllocs()
	watched := newRunner()
	chimw.Inspector(watched)
	servingTasks(oursOn(watched, 4), 4)(b.N)
}

func BenchmarkLists(b *testing.B) {
	b.ReportAllocs()
	lists(bgtasks.New(bgtasks.Config{MaxPending: -1}))(b.N)
}

func BenchmarkSafeGoroutine(b *testing.B) {
	b.ReportAllocs()
	base := router(func(_ http.ResponseWriter, r *http.Request) { safeGoroutine(r, "task", ranOf(r).task) })
	servingTasks(base, 1)(b.N)
}

var safeGoroutine = safe()
