package bgtasks_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

// A rudeContext panics when it is asked for a key that it does not know, as one that takes all
// keys for strings does.
type rudeContext struct{ context.Context }

func (c rudeContext) Value(key any) any {
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return map[string]any{}[key.(string)]
}

// asking looks for something in the context when it describes the request.
type asking struct{ *host }

func (asking) About(ctx context.Context) bgtasks.Info {
	_ = ctx.Value(userKey{})
	return bgtasks.Info{}
}

func TestContextThatPanicsWhenTheRequestIsDescribedHarmsNobody(t *testing.T) {
	run := newRunner(bgtasks.Config{})
	var seen journal
	run.Observe(func(e bgtasks.Event) { seen.note(fmt.Sprintf("%s %v", e.Info.Name, e.Kind)) })
	list := new(bgtasks.List)
	ctx := list.Init(run, context.Background(), asking{&host{}})
	add(t, rudeContext{ctx}, "task", nothing)
	list.Start(sent)
	drain(t, run)
	assert.EqualValues(t, 1, run.Stats().Succeeded)
	assert.Equal(t, []string{"task accepted", "task started", "task finished"}, seen.all())
}

func TestContextThatPanicsWhenItIsCapturedTakesNoPlace(t *testing.T) {
	run := newRunner(bgtasks.Config{MaxPending: 1})
	ctx, list := hosted(run, &host{capture: func(ctx context.Context) context.Context {
		_ = ctx.Value(userKey{})
		return ctx
	}})
	assert.Panics(t, func() { _ = bgtasks.Add(rudeContext{ctx}, "task", nothing) }, "in the handler, whose context it is")
	assert.Zero(t, run.Stats().Pending)
	add(t, ctx, "other", nothing)
	list.Start(sent)
	drain(t, run)
	assert.EqualValues(t, 1, run.Stats().Succeeded)
}
