// Package shop is of a module whose path has no dot, like those of the standard library.
package shop

import "io"

type Order struct{ ID int }

func NewOrder(r io.Reader) (Order, error) { return Order{}, nil }
