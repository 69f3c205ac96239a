package bgtasks_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// TestRandomOperationsAgreeWithTheModel plays random bytes; a failure tells the seed, and
// what was done.
func TestRandomOperationsAgreeWithTheModel(t *testing.T) {
	for seed := range uint64(many(t, 500)) {
		data := randomBytes(seed, 600)
		synctest.Test(t, func(t *testing.T) { play(t, fmt.Sprint("seed ", seed), data) })
	}
}

func randomBytes(seed uint64, n int) []byte {
	rng := rand.New(rand.NewPCG(seed, 0))
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	return data
}

// FuzzOperationsAgreeWithTheModel looks for bytes whose operations the real thing does in
// another way than the model.
func FuzzOperationsAgreeWithTheModel(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(randomBytes(seed, 100))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		synctest.Test(t, func(t *testing.T) { play(t, "fuzz", data[:min(len(data), 1000)]) })
	})
}

// A player chooses operations by bytes.
type player struct {
	*checker
	choices
}

// choices are made one byte each; when all are used up they are 0.
type choices []byte

func (c *choices) of(n int) int {
	if len(*c) == 0 {
		return 0
	}
	b := (*c)[0]
	*c = (*c)[1:]
	return int(b) % n
}

func pick[T any](c *choices, from ...T) T { return from[c.of(len(from))] }

func play(t *testing.T, label string, data []byte) {
	in := choices(data)
	cfg := bgtasks.Config{
		MaxPending:  pick(&in, 12, 3, -1),
		MaxRunning:  pick(&in, -1, 1, 2),
		SendTimeout: pick(&in, -1, time.Second+500*time.Microsecond),
		TaskTimeout: pick(&in, 0, 0, 1300*time.Millisecond),
		StopOnError: pick(&in, false, false, true),
	}
	p := &player{newChecker(t, label, cfg), in}
	defer p.abandon()
	for len(p.choices) > 0 {
		p.pass(time.Millisecond)
		moves[p.of(len(moves))](p)
		p.compare()
	}
	p.windUp()
}

// moves are the operations, the more usual ones several times.
var moves = []func(*player){
	(*player).open,
	(*player).addByHandler, (*player).addByHandler, (*player).addByHandler, (*player).addByHandler,
	(*player).addByTask, (*player).addByTask, (*player).addByFormerTask,
	(*player).forgetByHandler, (*player).forgetByTask,
	(*player).watchByHandler, (*player).watchByTask,
	(*player).await,
	(*player).start, (*player).start,
	(*player).finish, (*player).finish, (*player).finish, (*player).finish, (*player).finish, (*player).finish,
	(*player).wait, (*player).wait,
	(*player).shutdown, (*player).cut,
}

func (p *player) note(format string, args ...any) {
	p.steps = append(p.steps, fmt.Sprintf(format, args...))
}

// pass lets time pass, on both sides.
func (p *player) pass(d time.Duration) {
	p.model.pass(d)
	<-time.After(d)
	synctest.Wait()
}

// unique makes things due at different moments: what happens in which order at one moment
// is not laid down.
func (p *player) unique(d time.Duration) time.Duration {
	p.serial++
	return d + time.Duration(p.serial)*137
}

func (p *player) wait() {
	d := pick(&p.choices, 10*time.Millisecond, 300*time.Millisecond, 1100*time.Millisecond, 3*time.Second)
	p.note("wait %v", d)
	p.pass(d)
}

func (p *player) open() {
	l := &realList{
		List: new(bgtasks.List), c: p.checker, index: len(p.lists),
		cleanup: p.of(4) == 1, commands: make(chan command),
	}
	p.note("open %d, cleanup: %v", l.index, l.cleanup)
	p.model.open(l.cleanup)
	p.lists = append(p.lists, l)
	l.ctx = l.Init(p.runner, context.Background(), l)
}

// list chooses one; the newest ones are the most likely.
func (p *player) list() (int, *modelList, *realList) {
	if len(p.lists) == 0 {
		p.open()
	}
	i := len(p.lists) - 1 - p.of(min(len(p.lists), 4))
	return i, p.model.lists[i], p.lists[i]
}

// busy chooses a list whose task runs; nil if the one chosen has none.
func (p *player) busy() (int, *modelList, *realList) {
	i, m, l := p.list()
	if m.current == nil || m.current.wakes > 0 {
		return i, nil, nil
	}
	return i, m, l
}

func (p *player) name() string { return pick(&p.choices, "a", "b", "c", "d") }

func (p *player) task() (t modelTask, bad bool) {
	t.name = p.name()
	if p.of(3) == 0 { // most tasks have no options
		return t, p.of(16) == 1
	}
	for range p.of(3) {
		t.needs = append(t.needs, p.name())
	}
	t.when = pick(&p.choices, "", "", "", "", "ok", "failed", "panics")
	t.attempts = pick(&p.choices, 0, 0, 1, 3, 4)
	if t.attempts > 0 {
		t.wait = pick(&p.choices, "pauses", "pauses", "pauses", "gives up", "panics")
	}
	if t.wait == "pauses" {
		t.pause = pick(&p.choices, 0, p.unique(100*time.Millisecond), p.unique(2*time.Second))
	}
	t.timeout = pick(&p.choices, 0, 0, p.unique(200*time.Millisecond), p.unique(time.Second))
	t.obedient = p.of(2) == 1
	return t, false
}

func (p *player) addByHandler() {
	i, m, l := p.list()
	t, bad := p.task()
	p.note("add %d %+v, bad: %v", i, t, bad)
	m.add(false, bad, t)
	l.add(l.ctx, bad, t)
}

func (p *player) addByTask() {
	i, m, l := p.busy()
	if m == nil {
		return
	}
	t, bad := p.task()
	p.note("add %d by a task %+v, bad: %v", i, t, bad)
	m.add(true, bad, t)
	p.command(i, command{do: func(ctx context.Context) error { l.add(ctx, bad, t); return nil }})
}

// addByFormerTask uses the context of a task that may have ended.
func (p *player) addByFormerTask() {
	i, m, l := p.list()
	if l.task == nil {
		return
	}
	t, bad := p.task()
	p.note("add %d by a former task %+v, bad: %v", i, t, bad)
	m.add(true, bad, t)
	l.add(l.task, bad, t)
}

func (p *player) forgetByHandler() {
	i, m, l := p.list()
	name := p.name()
	p.note("forget %d %s", i, name)
	if want, got := m.forget(name), bgtasks.Forget(l.ctx, name); want != got {
		p.fail("Forget of %d, and not %d", got, want)
	}
}

func (p *player) forgetByTask() {
	i, m, _ := p.busy()
	if m == nil {
		return
	}
	name := p.name()
	p.note("forget %d %s by a task", i, name)
	want, got := m.forget(name), 0
	p.command(i, command{do: func(ctx context.Context) error { got = bgtasks.Forget(ctx, name); return nil }})
	if want != got {
		p.fail("Forget of %d, and not %d", got, want)
	}
}

func (p *player) watchByHandler() {
	i, m, l := p.list()
	p.note("watch %d", i)
	if want, got := m.watch(false), l.watch(l.ctx); want != got {
		p.fail("AfterResponse: %v, and not %v", got, want)
	}
}

func (p *player) watchByTask() {
	i, m, l := p.list()
	if l.task == nil {
		return
	}
	p.note("watch %d by a task", i)
	if want, got := m.watch(true), l.watch(l.task); want != got {
		p.fail("AfterResponse: %v, and not %v", got, want)
	}
}

func (p *player) outcome() bgtasks.Outcome {
	return pick(&p.choices, sent, sent, bgtasks.Outcome{Status: 500, Sent: true}, bgtasks.Outcome{Panicked: true})
}

func (p *player) await() {
	i, m, l := p.list()
	o := p.outcome()
	p.note("await %d %+v", i, o)
	first := !m.returned
	m.await(o)
	if got := l.Await(o); got != (first && m.phase == modelHeld) {
		p.fail("Await: %v", got)
	}
}

func (p *player) start() {
	i, m, l := p.list()
	o := p.outcome()
	p.note("start %d %+v", i, o)
	m.start(o)
	l.Start(o)
}

func (p *player) finish() {
	i, m, _ := p.busy()
	if m == nil {
		return
	}
	p.end(i, pick(&p.choices, "ok", "ok", "error", "error", "error", "panic", "goexit"))
}

func (p *player) end(i int, how string) {
	p.note("finish %d %s", i, how)
	p.model.lists[i].finish(how)
	ways := map[string]bgtasks.Func{"ok": nothing, "error": failing, "panic": panics, "goexit": exiting}
	p.command(i, command{do: ways[how], last: true})
}

// shutdown begins one. Where places are short its context has no deadline: all lists that
// wait for their responses would start at one moment, in no particular order.
func (p *player) shutdown() {
	if len(p.shutdowns) == 3 || p.of(4) != 1 {
		return
	}
	after := never
	if p.of(2) == 1 && p.model.cfg.MaxRunning == modelNoLimit {
		after = p.unique(pick(&p.choices, 50*time.Millisecond, 700*time.Millisecond, 4*time.Second))
	}
	p.note("shutdown within %v", after)
	p.model.shutdown(after)
	s := &realShutdown{result: make(chan error, 1)}
	ctx := context.Background()
	if after == never {
		ctx, s.cancel = context.WithCancel(ctx)
	} else {
		ctx, s.cancel = context.WithTimeout(ctx, after)
	}
	p.shutdowns = append(p.shutdowns, s)
	go func() { s.result <- p.runner.Shutdown(ctx) }()
}

// cut ends the context of a shutdown.
func (p *player) cut() {
	if len(p.shutdowns) == 0 {
		return
	}
	i := p.of(len(p.shutdowns))
	p.note("cut shutdown %d", i)
	p.model.deadline(p.model.shutdowns[i])
	p.shutdowns[i].cancel()
}

// windUp lets everything end and compares for the last time.
func (p *player) windUp() {
	for i, m := range p.model.lists {
		p.note("start %d", i)
		m.start(sent)
		p.lists[i].Start(sent)
		p.compare()
	}
	for p.windUpStep() {
		p.compare()
	}
	p.compare()
	if !p.model.gone(p.model.entries) || p.runner.Stats().Running != 0 {
		p.fail("something is left: %+v", p.runner.Stats())
	}
}

// windUpStep goes on with every list that has a task.
func (p *player) windUpStep() (more bool) {
	for i, m := range p.model.lists {
		switch t := m.current; {
		case t == nil:
		case t.wakes > 0:
			p.pass(t.wakes - p.model.now)
			more = true
		default:
			p.end(i, "ok")
			more = true
		}
	}
	return more
}
