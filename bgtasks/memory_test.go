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
	run := newRunner(bgtasks.Config{})
	silent := &ledger{} // not an observer: it would remember
	silent.load(run, many(t, 2000), 1)
	drain(t, run)
	before := heapInUse()
	for seed := range uint64(3) {
		silent.load(run, many(t, 2000), seed)
		drain(t, run)
	}
	after := heapInUse()
	assert.LessOrEqual(t, after, before+before/10)
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
