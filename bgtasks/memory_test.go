package bgtasks_test

import (
	"context"
	"runtime"
	"testing"
	"weak"

	"github.com/stretchr/testify/assert"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

func TestMemoryIsGivenBack(t *testing.T) {
	const lists = 2000
	run := newRunner(bgtasks.Config{})
	silent := &ledger{} // not an observer: it would remember
	silent.load(run, lists, 1)
	drain(t, run)
	before := heapInUse()
	for seed := range uint64(3) {
		silent.load(run, lists, seed)
		drain(t, run)
	}
	// A list is some 400 bytes. The runtime keeps as many for each goroutine of the busiest moment.
	assert.Less(t, heapInUse()-before, int64(3*lists*100))
	runtime.KeepAlive(run)
}

func TestMemoryOfAnEndedTaskIsGivenBackWhileItsListRuns(t *testing.T) {
	run := newRunner(bgtasks.Config{})
	ctx, list := open(run)
	type upload [1 << 20]byte
	addUpload := func() weak.Pointer[upload] {
		u := new(upload)
		add(t, context.WithValue(ctx, userKey{}, u), "upload", func(context.Context) error {
			runtime.KeepAlive(u)
			return nil
		})
		return weak.Make(u)
	}
	ran := addUpload()
	add(t, ctx, "look", func(context.Context) error {
		runtime.GC()
		assert.Nil(t, ran.Value())
		return nil
	})
	list.Start(sent)
	drain(t, run)
}
