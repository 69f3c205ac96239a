package bgtasks_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// TestOperationsFromManyGoroutinesKeepTheBooksStraight does random operations to the same
// lists from several goroutines at once. What they lead to is not known beforehand: see
// chronicle for what holds all the same. A failure tells the seed.
func TestOperationsFromManyGoroutinesKeepTheBooksStraight(t *testing.T) {
	for seed := range uint64(many(t, 500)) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newStorm(t, randomBytes(seed, 600)).rage() })
		})
	}
}

// FuzzOperationsFromManyGoroutines is the same for any bytes.
func FuzzOperationsFromManyGoroutines(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(randomBytes(seed, 100))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		synctest.Test(t, func(t *testing.T) { newStorm(t, data[:min(len(data), 1000)]).rage() })
	})
}

const (
	stormLists      = 6
	stormGoroutines = 3
)

// A storm is several goroutines that work on a few lists.
type storm struct {
	t     *testing.T
	run   *bgtasks.Runner
	book  *chronicle
	lists []*stormList
	parts []choices
	wg    sync.WaitGroup
	down  atomic.Bool // a Shutdown has returned
	cut   atomic.Bool // and one has named tasks

	mu    sync.Mutex
	named []bgtasks.Info // by the latest Shutdown to return
}

type stormList struct {
	*bgtasks.List
	host
	ctx     context.Context
	cleaned atomic.Int32
}

func newStorm(t *testing.T, data []byte) *storm {
	in := choices(data)
	cfg := bgtasks.Config{
		MaxPending:  pick(&in, -1, 4, 20),
		MaxRunning:  pick(&in, -1, 1, 2),
		SendTimeout: pick(&in, -1, time.Second, 100*time.Millisecond),
		TaskTimeout: pick(&in, 0, 0, 30*time.Millisecond),
		StopOnError: pick(&in, false, false, true),
	}
	s := &storm{t: t, run: newRunner(cfg)}
	s.book = newChronicle(s.run, cfg)
	for range stormLists {
		l := &stormList{List: new(bgtasks.List)}
		if in.of(3) == 1 {
			l.end = func() error { l.cleaned.Add(1); return nil }
		}
		l.ctx = l.Init(s.run, context.Background(), &l.host)
		s.lists = append(s.lists, l)
	}
	part := len(in)/stormGoroutines + 1
	for range stormGoroutines {
		n := min(part, len(in))
		s.parts = append(s.parts, in[:n:n])
		in = in[n:]
	}
	return s
}

// rage lets the goroutines loose, and compares the books when all is quiet again.
func (s *storm) rage() {
	for g := range s.parts {
		s.wg.Go(func() { s.handler(g) })
	}
	s.wg.Wait()
	settle(s.t, s.run)
	synctest.Wait()
	for i, l := range s.lists {
		want := 0
		if l.end != nil {
			want = 1
		}
		assert.EqualValues(s.t, want, l.cleaned.Load(), "cleanup of list %d", i)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.book.check(s.t, s.named)
}

// handler does what its part of the bytes says, and ends the lists that are its own.
func (s *storm) handler(g int) {
	c := &s.parts[g]
	for len(*c) > 0 {
		l := s.lists[c.of(stormLists)]
		own := s.lists[g+stormGoroutines*c.of(stormLists/stormGoroutines)]
		switch c.of(50) {
		default:
			s.add(l.ctx, c)
		case 0, 1, 2:
			bgtasks.Forget(l.ctx, stormName(c))
		case 3, 4:
			own.Await(stormOutcome(c))
		case 5, 6:
			own.Start(stormOutcome(c))
		case 7, 8, 9, 10, 11, 12, 13, 14:
			<-time.After(pick(c, time.Millisecond, 20*time.Millisecond, 300*time.Millisecond, 2*time.Second))
		case 15, 16, 17:
			own.writing.Store(true)
		case 18, 19:
			own.progress.Add(1)
		case 20:
			s.shutdown(c)
		}
		if n := l.Len(); n < 0 {
			s.t.Errorf("%d pending", n)
		}
	}
	for i := g; i < stormLists; i += stormGoroutines {
		s.lists[i].Start(sent)
	}
}

func stormName(c *choices) string { return pick(c, "a", "b", "c") }

func stormOutcome(c *choices) bgtasks.Outcome { return pick(c, sent, bgtasks.Outcome{Status: 500}) }

// add adds a task that does what the bytes say next.
func (s *storm) add(ctx context.Context, c *choices) {
	_, own := bgtasks.InfoFrom(ctx)
	over := s.down.Load() && !own || s.cut.Load() // as it was before Add
	n := min(c.of(6), len(*c))
	part := (*c)[:n:n]
	*c = (*c)[n:]
	s.book.answered(bgtasks.Add(ctx, stormName(c), s.task(part), stormOptions(c)...), over)
}

func stormOptions(c *choices) (opts []bgtasks.Option) {
	switch c.of(12) {
	case 1:
		opts = append(opts, bgtasks.Needs(stormName(c)))
	case 2:
		opts = append(opts, bgtasks.When(bgtasks.Outcome.OK))
	case 3:
		opts = append(opts, bgtasks.When(func(bgtasks.Outcome) bool { panic("kaboom") }))
	case 4, 5:
		opts = append(opts, bgtasks.Retry(3, every(pick(c, 0, time.Millisecond, time.Second))))
	case 6, 7:
		opts = append(opts, bgtasks.Timeout(10*time.Millisecond))
	case 8:
		opts = append(opts, nil) // refused
	case 9:
		opts = append(opts, bgtasks.Timeout(10*time.Millisecond), bgtasks.Retry(2, every(5*time.Millisecond)), bgtasks.When(bgtasks.Outcome.Failed))
	}
	return opts
}

// task does what its bytes say, at each attempt.
func (s *storm) task(part choices) bgtasks.Func {
	return func(ctx context.Context) error {
		info, _ := bgtasks.InfoFrom(ctx)
		s.book.enter(info)
		defer s.book.leave(info)
		c := part
		for len(c) > 0 {
			switch c.of(12) {
			case 0:
				return errBroken
			case 1:
				panic("kaboom")
			case 2:
				runtime.Goexit()
			case 3, 4, 5:
				s.add(ctx, &c)
			case 6:
				bgtasks.Forget(ctx, stormName(&c))
			case 7:
				return obedient(pick(&c, time.Millisecond, time.Second, time.Hour))(ctx)
			case 8:
				_ = stubborn(pick(&c, time.Millisecond, 40*time.Millisecond, 3*time.Second))(ctx)
			}
		}
		return nil
	}
}

// shutdown has one going on beside everything else.
func (s *storm) shutdown(c *choices) {
	if c.of(2) != 1 {
		return
	}
	within := pick(c, 0, time.Millisecond, 200*time.Millisecond, 3*time.Second, time.Hour)
	s.wg.Go(func() {
		err := shutdownWithin(s.run, within)
		s.down.Store(true)
		var unfinished *bgtasks.ShutdownError
		if errors.As(err, &unfinished) {
			s.cut.Store(true)
			s.mu.Lock()
			defer s.mu.Unlock()
			if len(unfinished.Unfinished) > len(s.named) {
				s.named = unfinished.Unfinished
			}
		}
	})
}
