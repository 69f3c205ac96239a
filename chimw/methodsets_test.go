package chimw_test

import (
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/stretchr/testify/assert"
)

func TestWriterForEachSetOfMethodsHasJustThose(t *testing.T) {
	for set := range chimw.MethodSets {
		assert.Equal(t, set, chimw.MethodsOfWriterWith(set))
	}
}
