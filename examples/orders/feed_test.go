package main

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func eventOf(name string) bgtasks.Event {
	return bgtasks.Event{Kind: bgtasks.Started, Info: bgtasks.Info{Name: name}}
}

func TestWatcherSeesWhatIsPublishedFromThenOn(t *testing.T) {
	f := newFeed()
	f.publish(eventOf("before"))
	events, stop, err := f.watch()
	require.NoError(t, err)
	f.publish(eventOf("after"))
	got := <-events
	assert.Equal(t, "after", got.Info.Name)
	assert.False(t, got.At.IsZero())
	stop()
	f.publish(eventOf("too late"))
	_, ok := <-events
	assert.False(t, ok)
	stop()
}

func TestWatcherThatIsTooSlowIsDroppedAndHoldsUpNobody(t *testing.T) {
	f := newFeed()
	slow, stop, err := f.watch()
	require.NoError(t, err)
	defer stop()
	for range 10 * maxBehind {
		f.publish(eventOf("one of many"))
	}
	seen := 0
	for range slow {
		seen++
	}
	assert.Equal(t, maxBehind, seen, "then it is closed")
	assert.Empty(t, f.watchers)
	assert.False(t, f.over(), "it may come again")
}

func TestFeedThatIsClosedEndsAllWatching(t *testing.T) {
	f := newFeed()
	early, stop, err := f.watch()
	require.NoError(t, err)
	f.close()
	_, ok := <-early
	assert.False(t, ok)
	stop()
	late, stop, err := f.watch()
	require.NoError(t, err)
	_, ok = <-late
	assert.False(t, ok)
	stop()
	f.publish(eventOf("after the end"))
	assert.True(t, f.over())
}

func TestOnlySoManyMayWatch(t *testing.T) {
	f := newFeed()
	for range maxWatchers {
		_, _, err := f.watch()
		require.NoError(t, err)
	}
	_, _, err := f.watch()
	require.ErrorIs(t, err, errTooManyWatch)
}

// follow reads the stream of events until the end, into the returned channel.
func (p *program) follow() <-chan string {
	p.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/events", nil)
	require.NoError(p.t, err)
	res, err := p.client.Do(req)
	require.NoError(p.t, err)
	require.Equal(p.t, "text/event-stream", res.Header.Get("Content-Type"))
	lines := make(chan string, 10_000)
	watching := make(chan struct{})
	go func() {
		defer close(lines)
		defer res.Body.Close()
		for in := bufio.NewScanner(res.Body); in.Scan(); {
			if in.Text() == ": watching" {
				close(watching)
			}
			lines <- in.Text()
		}
	}()
	receive(p.t, "the stream", watching)
	return lines
}

func TestStreamTellsEverythingAboutTheTasksOfARequest(t *testing.T) {
	t.Parallel()
	p := start(t, "-faults")
	lines := p.follow()
	p.order(goodOrder, "X-Request-Id", `<req>"1`, "X-Fault", "send confirmation=fail")
	var got []string
	for len(got) < 15 {
		data, ok := strings.CutPrefix(receive(t, "an event", lines), "data: ")
		if !ok {
			continue
		}
		var e shownEvent
		require.NoError(t, json.Unmarshal([]byte(data), &e), data)
		assert.Equal(t, `<req>"1`, e.RequestID)
		assert.Equal(t, "POST /orders", e.Method+" "+e.Route)
		assert.Equal(t, stepNames[e.Position-1], e.Task)
		got = append(got, e.Kind+" "+e.Task+" "+e.Error)
	}
	assert.Equal(t, "accepted validate order ", got[0])
	assert.Equal(t, []string{
		"started validate order ", "finished validate order ",
		"started update inventory ", "finished update inventory ",
		"started send confirmation ", "finished send confirmation it was asked to fail",
		"started notify fulfilment ", "finished notify fulfilment ",
		"started write audit ", "finished write audit ",
	}, got[5:])
}

func TestStreamsEndWhenAShutdownBegins(t *testing.T) {
	t.Parallel()
	answer, hold := held()
	hook := startReceiver(t, answer)
	p := start(t, "-webhook", hook.url, "-webhook-timeout", "5m", "-grace", "10m")
	one, two := p.follow(), p.follow()
	id := p.order(goodOrder)
	p.reaches(id, 3)
	p.terminate()
	for _, lines := range []<-chan string{one, two} {
		last := ""
		for line := range lines { // to the end of the stream, while a task still runs
			if line != "" {
				last += line + "\n"
			}
		}
		assert.Contains(t, last, "event: shutdown\n")
	}
	assert.False(t, p.ended())
	close(hold)
	assert.Zero(t, p.exitCode(), "no stream has used up the server's half of the grace")
	o, err := storeOf(t, p).Order(t.Context(), id)
	require.NoError(t, err)
	assertAllSucceeded(t, o)
}
