module github.com/chi-bgtasks/chi-bgtasks/internal/soak

go 1.26.0

replace github.com/chi-bgtasks/chi-bgtasks => ../..

require (
	github.com/chi-bgtasks/chi-bgtasks v0.0.0-00010101000000-000000000000
	github.com/coder/websocket v1.8.15
	github.com/go-chi/chi/v5 v5.5.0
	go.uber.org/goleak v1.3.0
	golang.org/x/net v0.62.0
)

require (
	github.com/ajg/form v1.5.1 // indirect
	github.com/go-chi/render v1.0.3 // indirect
	golang.org/x/text v0.43.0 // indirect
)
