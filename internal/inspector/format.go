package inspector

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// visible writes what would not be seen, or would turn the direction of the text around it,
// as an escape. That the text is no markup is html/template's business.
func visible(text string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) || r == '\n' {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// count writes a number with its thousands apart.
func count[N int | int64](n N) string {
	text := strconv.FormatInt(int64(n), 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// rate writes how often in a second, to a precision that suits it.
func rate(r float64) string {
	precision := 0
	if r < 10 && r != float64(int64(r)) {
		precision = 1
		if r < 1 {
			precision = 2
		}
	}
	return strconv.FormatFloat(r, 'f', precision, 64)
}

// seconds writes a duration for people.
func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	whole := func(d time.Duration) string { return strconv.FormatInt(int64(d), 10) }
	switch {
	case d < time.Millisecond:
		return "<1 ms"
	case d < time.Second:
		return whole(d/time.Millisecond) + " ms"
	case d < 10*time.Second:
		return strconv.FormatFloat(float64(d/(100*time.Millisecond))/10, 'f', 1, 64) + " s"
	case d < time.Minute:
		return whole(d/time.Second) + " s"
	case d < time.Hour && d%time.Minute < time.Second:
		return whole(d/time.Minute) + " min"
	case d < time.Hour:
		return whole(d/time.Minute) + " min " + whole(d%time.Minute/time.Second) + " s"
	}
	return whole(d/time.Hour) + " h " + whole(d%time.Hour/time.Minute) + " min"
}
