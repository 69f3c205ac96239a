package main

import (
	"bufio"
	"fmt"
	"os"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// openTerminal returns both ends of a pseudo-terminal.
func openTerminal(t *testing.T) (screen, program *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here:", err)
	}
	t.Cleanup(func() { _ = screen.Close() })
	var unlock, number int32
	for request, arg := range map[uintptr]*int32{syscall.TIOCSPTLCK: &unlock, syscall.TIOCGPTN: &number} {
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, screen.Fd(), request, uintptr(unsafe.Pointer(arg)))
		require.Zero(t, errno)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = program.Close() })
	return screen, program
}

func TestLogIsTextOnATerminal(t *testing.T) {
	screen, program := openTerminal(t)
	newLogger(program, "auto").Info("hello", "n", 1)
	line, err := bufio.NewReader(screen).ReadString('\n')
	require.NoError(t, err)
	assert.Contains(t, line, "level=INFO msg=hello n=1")
}

func TestLogIsJSONOnATerminalThatAsksForIt(t *testing.T) {
	screen, program := openTerminal(t)
	newLogger(program, "json").Info("hello")
	line, err := bufio.NewReader(screen).ReadString('\n')
	require.NoError(t, err)
	assert.Contains(t, line, `"msg":"hello"`)
}
