//go:build race

package chimw_test

// raceEnabled says that the race detector watches, which makes everything several times slower.
const raceEnabled = true
