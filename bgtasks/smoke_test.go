package bgtasks_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
)

func TestSmoke(t *testing.T) {
	r := bgtasks.New(bgtasks.Config{})
	r.Observe(func(e bgtasks.Event) { fmt.Println(e.Kind, e.Info.Name, e.Info.Position, e.Info.Attempt, e.Err) })
	ctx, l := r.Open(context.Background(), bgtasks.Info{Route: "/x"})
	bgtasks.Add(ctx, "a", func(ctx context.Context) error {
		return bgtasks.Add(ctx, "nested", func(context.Context) error { return nil })
	})
	bgtasks.Add(ctx, "b", func(ctx context.Context) error { panic(errors.New("x")) })
	bgtasks.Add(ctx, "g", func(ctx context.Context) error { runtime.Goexit(); return nil })
	bgtasks.Add(ctx, "c", func(ctx context.Context) error { return errors.New("boo") }, bgtasks.Retry(3, bgtasks.Backoff(time.Millisecond, time.Second)))
	bgtasks.Add(ctx, "d", func(ctx context.Context) error { return nil }, bgtasks.Needs("c"))
	l.Start(bgtasks.Outcome{Status: 200})
	if err := r.Wait(context.Background()); err != nil {
		t.Fatal(err)
	}
	fmt.Printf("%+v\n", r.Stats())
	if err := r.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkOne(b *testing.B) {
	r := bgtasks.New(bgtasks.Config{})
	f := func(context.Context) error { return nil }
	b.ReportAllocs()
	for b.Loop() {
		ctx, l := r.Open(context.Background(), bgtasks.Info{Route: "/x"})
		bgtasks.Add(ctx, "a", f)
		l.Start(bgtasks.Outcome{Status: 200})
	}
	r.Wait(context.Background())
}
