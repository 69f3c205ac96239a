package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
)

// A logbook collects what a program writes.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logbook) tail(n int) string {
	s := l.String()
	return s[max(0, len(s)-n):]
}

// records are the complete lines that are JSON.
func (l *logbook) records() (all []map[string]any) {
	text := l.String()
	for line := range strings.Lines(text) {
		var fields map[string]any
		if json.Unmarshal([]byte(line), &fields) == nil {
			all = append(all, fields)
		}
	}
	return all
}

// find returns the lines with that message and those attributes, by name and value.
func (l *logbook) find(msg string, attrs ...string) (found []map[string]any) {
	for _, line := range l.records() {
		same := line["msg"] == msg
		for i := 0; i < len(attrs); i += 2 {
			same = same && line[attrs[i]] == attrs[i+1]
		}
		if same {
			found = append(found, line)
		}
	}
	return found
}
