package main

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const orderButton = `#order button`

// card selects the latest one.
const firstCard = `document.querySelector("#watch .card")`

// shownTask is a line of a card.
type shownTask struct {
	Name, State, Reason string
	Started, Ended      float64 // since the click; 0 if not
}

const firstTasks = `[...document.querySelectorAll("#watch .card:first-child .tasks li")].map((row) => ({
	Name: row.querySelector(".name").textContent,
	State: row.querySelector(".state").textContent,
	Reason: row.querySelector(".reason")?.textContent ?? "",
	Started: Number(row.dataset.started ?? 0),
	Ended: Number(row.dataset.ended ?? 0),
}))`

func (b *tab) tasks() []shownTask {
	b.t.Helper()
	return eval[[]shownTask](b, firstTasks)
}

// ended waits until so many tasks of the latest card have ended.
func (b *tab) ended(n int) []shownTask {
	b.t.Helper()
	eventually(b.t, "the end of the tasks on the page", func() bool {
		done := 0
		for _, task := range b.tasks() {
			if task.Ended > 0 {
				done++
			}
		}
		return done == n
	})
	return b.tasks()
}

// live opens the program's page and waits for its stream.
func (p *program) live(expected ...string) *tab {
	p.t.Helper()
	b := openTab(p.t, p.url+"/", expected...)
	b.waitsFor("the stream", `document.getElementById("stream").textContent.startsWith("Live")`)
	return b
}

func TestPageShowsTheAnswerAndThenTheStepsInOrder(t *testing.T) {
	t.Parallel()
	p := start(t, "-pace", "150ms")
	b := p.live()
	b.do(chromedp.Click(chromedp.CSS(orderButton)))
	tasks := b.ended(len(stepNames))

	answered := eval[float64](b, `Number(`+firstCard+`.dataset.answered)`)
	require.Positive(t, answered)
	require.Len(t, tasks, len(stepNames))
	last := answered
	for i, task := range tasks {
		assert.Equal(t, stepNames[i], task.Name)
		assert.Equal(t, "succeeded", task.State)
		assert.Greater(t, task.Ended, last, "%s ended before what is above it", task.Name)
		assert.GreaterOrEqual(t, task.Ended, task.Started)
		last = task.Ended
	}
	for i := range tasks[1:] {
		assert.GreaterOrEqual(t, tasks[i+1].Started, tasks[i].Ended)
	}
	assert.Regexp(t, `^Answered after [\d.]+ m?s: 201 Created order 1$`, eval[string](b, firstCard+`.querySelector(".answer").textContent`))
	b.waitsFor("the order in the list", `document.querySelectorAll("#orders [data-state=succeeded]").length === 5`)
	assertAllSucceeded(t, p.processed(1))
}

func TestPageHasTheAnswerWhileTheFirstStepStillRuns(t *testing.T) {
	t.Parallel()
	p := start(t, "-faults", "-grace", "1s")
	b := p.live()
	b.chooses("hang", stepValidate)
	b.do(chromedp.Click(chromedp.CSS(orderButton)))
	b.waitsFor("the answer", firstCard+`?.dataset.answered > 0`)
	b.waitsFor("the step", `document.querySelector(".tasks li")?.dataset.state === "running"`)
	assert.Equal(t, []string{"running", "pending", "pending", "pending", "pending"}, shownStates(b.tasks()))
}

func shownStates(tasks []shownTask) []string {
	all := []string{}
	for _, task := range tasks {
		all = append(all, task.State)
	}
	return all
}

// chooses sets the switches.
func (b *tab) chooses(fault, step string) {
	b.t.Helper()
	b.do(
		chromedp.Click(chromedp.CSS(`input[name=fault][value="`+fault+`"]`)),
		chromedp.SetValue(chromedp.CSS(`select[name=step]`), step),
	)
}

func TestPageReportsAStepThatGoesWrong(t *testing.T) {
	t.Parallel()
	p := start(t, "-faults", "-task-timeout", "2s")
	b := p.live()
	for fault, reason := range map[string]string{
		"fail":  errFault.Error(),
		"panic": "task panicked: " + errFault.Error(),
		"hang":  "timeout has passed",
	} {
		b.chooses(fault, stepInventory)
		b.do(chromedp.Click(chromedp.CSS(orderButton)))
		tasks := b.ended(len(stepNames))
		assert.Equal(t, []string{"succeeded", "failed", "skipped", "skipped", "succeeded"}, shownStates(tasks), fault)
		assert.Contains(t, tasks[1].Reason, reason)
		assert.Contains(t, tasks[2].Reason, stepInventory, "why it was skipped")
		color := eval[string](b, `getComputedStyle(`+firstCard+`.querySelector("[data-state=failed] .reason")).color`)
		assert.Equal(t, "rgb(180, 35, 24)", color, "in red")
	}
}

func TestSwitchesAreOffWithoutFaults(t *testing.T) {
	t.Parallel()
	b := start(t).live()
	assert.True(t, eval[bool](b, `document.querySelector("[name=fault]").matches(":disabled")`))
	assert.Contains(t, eval[string](b, `document.querySelector("fieldset").textContent`), "start the program with -faults")
}

func TestPageShowsOrdersFromElsewhere(t *testing.T) {
	t.Parallel()
	p := start(t)
	b := p.live()
	assertAllSucceeded(t, p.processed(p.order(goodOrder)))
	tasks := b.ended(len(stepNames))
	assert.Equal(t, []string{"succeeded", "succeeded", "succeeded", "succeeded", "succeeded"}, shownStates(tasks))
	assert.Equal(t, "POST /orders", eval[string](b, firstCard+`.querySelector("h3").textContent`))
	b.waitsFor("the order in the list", `document.querySelectorAll("#orders [data-state=succeeded]").length === 5`)
}

// gone are the errors of a page whose program has ended, or ends while it is asked.
var gone = []string{"ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE", "ERR_INCOMPLETE_CHUNKED_ENCODING"}

func TestPageSaysThatTheProgramShutsDown(t *testing.T) {
	t.Parallel()
	answer, hold := held()
	hook := startReceiver(t, answer)
	p := start(t, "-webhook", hook.url, "-webhook-timeout", "5m", "-grace", "5m")
	b := p.live(gone...) // from then on
	p.reaches(p.order(goodOrder), 3)
	p.terminate()
	b.waitsFor("the page says so", `document.getElementById("stream").textContent.startsWith("The program is shutting down")`)
	close(hold)
	assert.Zero(t, p.exitCode())
}

// A page that has lost its connection reads from the record what it has missed.
func TestPageCatchesUpWithAProgramThatWasStartedAgain(t *testing.T) {
	t.Parallel()
	p := start(t, "-faults", "-grace", "500ms")
	b := p.live(gone...)
	b.chooses("hang", stepConfirm)
	b.do(chromedp.Click(chromedp.CSS(orderButton)))
	b.waitsFor("the step that hangs", firstCard+`?.querySelectorAll("[data-state=succeeded]").length === 2`)
	p.terminate()
	p.exitCode()
	startIn(t, nil, "-addr", strings.TrimPrefix(p.url, "http://"), "-dir", p.dir)
	b.waitsFor("the step that was cut off", firstCard+`.querySelector("[data-state=failed] .reason")?.textContent.includes("shutting down")`)
	assert.Equal(t, []string{"succeeded", "succeeded", "failed", "pending", "pending"}, shownStates(b.tasks()))
}

func TestOrderCanBePlacedByKeyboard(t *testing.T) {
	t.Parallel()
	b := start(t).live()
	eventually(t, "the button has the focus", func() bool {
		b.do(chromedp.KeyEvent(kb.Tab))
		return eval[bool](b, `document.activeElement.matches("#order button")`)
	})
	assert.Equal(t, "solid", eval[string](b, `getComputedStyle(document.activeElement).outlineStyle`), "the focus can be seen")
	b.do(chromedp.KeyEvent(kb.Enter))
	b.ended(len(stepNames))
}

func TestPageIsReadable(t *testing.T) {
	t.Parallel()
	p := start(t, "-demo", "-pace", "0s", "-webhook-timeout", "1s")
	b := p.live("status of 422")
	b.assertReadable("empty")
	b.do(chromedp.Click(chromedp.CSS(orderButton)))
	b.ended(len(stepNames))
	b.chooses("panic", stepConfirm)
	b.do(chromedp.Click(chromedp.CSS(orderButton)))
	b.ended(len(stepNames))
	eval[chromedp.Void](b, `document.querySelectorAll("details").forEach((d) => d.open = true)`)
	b.submits("/imports")
	b.waitsFor("the failure", firstCard+`.querySelector(".answer[data-state=bad]")`)
	b.submits("/reports")
	b.ended(2)
	b.uploads(testPhoto(t))
	b.ended(3)
	b.waitsFor("the thumbnail", `document.querySelector("#images img")?.naturalWidth > 0`)
	b.chooses("hang", stepFulfil)
	b.do(chromedp.Click(chromedp.CSS(orderButton)))
	b.waitsFor("an attempt that failed", firstCard+`.querySelector("[data-state=retrying]")`)
	b.assertReadable("full")
}

// submits sends the form for that path by its first button.
func (b *tab) submits(path string) {
	b.t.Helper()
	eval[chromedp.Void](b, `document.querySelector("form[data-path='`+path+`'] button").click()`)
}

func (b *tab) uploads(file string) {
	b.t.Helper()
	b.do(chromedp.SetUploadFiles(chromedp.CSS(`input[type=file]`), []string{file}))
	b.submits("/images")
}
