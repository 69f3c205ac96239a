module github.com/chi-bgtasks/chi-bgtasks/internal/compat

go 1.26.0

require (
	github.com/chi-bgtasks/chi-bgtasks v0.0.0-00010101000000-000000000000
	github.com/go-chi/chi/v5 v5.5.0
	github.com/go-chi/render v1.0.3
	github.com/stretchr/testify v1.12.1
	golang.org/x/net v0.62.0
)

require (
	github.com/ajg/form v1.5.1 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/text v0.43.0 // indirect
)

replace github.com/chi-bgtasks/chi-bgtasks => ../..
