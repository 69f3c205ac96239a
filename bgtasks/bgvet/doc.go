// Package bgvet finds background tasks that compile and go wrong when they run.
package bgvet
