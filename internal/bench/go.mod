module github.com/chi-bgtasks/chi-bgtasks/internal/bench

go 1.26.0

replace github.com/chi-bgtasks/chi-bgtasks => ../..

require (
	github.com/alitto/pond/v2 v2.7.1
	github.com/chi-bgtasks/chi-bgtasks v0.0.0-00010101000000-000000000000
	github.com/go-chi/chi/v5 v5.5.0
	github.com/go-chi/render v1.0.3
	github.com/panjf2000/ants/v2 v2.12.1
	go.uber.org/goleak v1.3.0
	golang.org/x/sync v0.25.0
)

require github.com/ajg/form v1.5.1 // indirect
