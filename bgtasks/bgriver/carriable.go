package bgriver

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
)

var (
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

// carriable returns an error if JSON can't carry values of type t there and back, as far as the
// type tells. It is asked when a queue is opened: what a task was given must not get lost on
// the way, with nobody the wiser until it runs.
func carriable(t reflect.Type) error { return carried(t, t.String(), map[reflect.Type]bool{}) }

func carried(t reflect.Type, path string, seen map[reflect.Type]bool) error {
	if seen[t] || marshalsItself(t) {
		return nil
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		return fmt.Errorf("JSON can't carry its argument: %s is a %s", path, t.Kind())
	case reflect.Interface:
		if t.NumMethod() > 0 {
			return fmt.Errorf("JSON can't carry its argument back: %s is an interface, %s: name a type", path, t)
		}
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return carried(t.Elem(), path, seen)
	case reflect.Struct:
		return carriedFields(t, path, seen)
	}
	return nil
}

func carriedFields(t reflect.Type, path string, seen map[reflect.Type]bool) error {
	exported := 0
	for f := range t.Fields() {
		if f.Anonymous || f.IsExported() {
			exported++
		}
		if f.Tag.Get("json") == "-" || !f.Anonymous && !f.IsExported() {
			continue
		}
		if err := carried(f.Type, path+"."+f.Name, seen); err != nil {
			return err
		}
	}
	if exported == 0 && t.NumField() > 0 {
		return fmt.Errorf("JSON can't carry its argument: all fields of %s are unexported", path)
	}
	return nil
}

func marshalsItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return t.Implements(jsonMarshaler) || p.Implements(jsonMarshaler) || t.Implements(textMarshaler) || p.Implements(textMarshaler)
}
