package bgtasks

import "unicode/utf8"

// longest is how much of a name or an ID gets into a log line or an error's text. Clients
// choose methods and request IDs (chi's RequestID takes over their header), of up to a
// megabyte each by net/http's defaults, and one request can have many lines.
const longest = 256

// brief is s, or its beginning.
func brief(s string) string {
	if len(s) <= longest {
		return s
	}
	end := longest
	for end > longest-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}
