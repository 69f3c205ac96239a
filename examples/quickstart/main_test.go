package main

import (
	"testing"

	"github.com/chi-bgtasks/chi-bgtasks/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }
