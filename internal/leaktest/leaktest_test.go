package leaktest_test

import (
	"os"
	"os/exec"
	"runtime/pprof"
	"testing"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/internal/leaktest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestGoroutineThatIsLeftIsFound(t *testing.T) {
	before, end := leaktest.Snapshot(), make(chan struct{})
	go func() { <-end }()
	left := before.Wait(0)
	require.Len(t, left, 1)
	assert.Contains(t, left[0], "TestGoroutineThatIsLeftIsFound")
	close(end)
	assert.Empty(t, before.Wait(time.Minute))
}

func TestGoroutineThatIsThereBeforeIsNotLeft(t *testing.T) {
	end := make(chan struct{})
	defer close(end)
	go func() { <-end }()
	assert.Empty(t, leaktest.Snapshot().Wait(0))
}

func TestGoroutineThatTakesItsTimeIsWaitedFor(t *testing.T) {
	before := leaktest.Snapshot()
	go func() { <-time.After(20 * time.Millisecond) }()
	assert.Empty(t, before.Wait(time.Minute))
}

// A test binary whose tests pass, and leave a goroutine that nothing can wake.
func TestMainFailsForWhatPassingTestsLeave(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it waits for the goroutine to end")
	}
	binary, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(binary, "-test.run=^TestThatLeaks$", "-test.v")
	cmd.Env = append(os.Environ(), leakIf+"=1")
	out, err := cmd.CombinedOutput()
	require.Error(t, err, "%s", out)
	assert.Contains(t, string(out), "--- PASS: TestThatLeaks")
	assert.Contains(t, string(out), "have left 1 goroutines")
	if pprof.Lookup("goroutineleak") != nil {
		assert.Contains(t, string(out), "can never go on")
	} else {
		assert.Contains(t, string(out), "no goroutineleak profile")
	}
}

const leakIf = "LEAKTEST_LEAK"

func TestThatLeaks(t *testing.T) {
	if os.Getenv(leakIf) == "" {
		t.Skip("see TestMainFailsForWhatPassingTestsLeave")
	}
	go func() { <-make(chan int) }()
}
