package main

import (
	"encoding/json"
	"fmt"
	"go/token"
	"io"
	"os"

	"golang.org/x/tools/go/analysis"
)

// print writes findings as go vet expects them of its tool: as JSON, from Go 1.26 on, or as
// text.
func (u *unit) print(fset *token.FileSet, found []analysis.Diagnostic) error {
	if !u.json {
		for _, d := range found {
			fmt.Fprintf(os.Stderr, "%s: %s\n", fset.Position(d.Pos), d.Message)
		}
		return nil
	}
	if len(found) == 0 {
		return nil
	}
	if u.Stdout == "" {
		return u.printJSON(os.Stdout, fset, found)
	}
	file, err := os.Create(u.Stdout)
	if err != nil {
		return err
	}
	if err := u.printJSON(file, fset, found); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}

// The names in the JSON are those of x/tools.
type (
	jsonDiagnostic struct {
		Category string    `json:"category,omitempty"`
		Posn     string    `json:"posn"`
		End      string    `json:"end"`
		Message  string    `json:"message"`
		Fixes    []jsonFix `json:"suggested_fixes,omitempty"`
	}
	jsonFix struct {
		Message string     `json:"message"`
		Edits   []jsonEdit `json:"edits"`
	}
	jsonEdit struct {
		Filename string `json:"filename"`
		Start    int    `json:"start"`
		End      int    `json:"end"`
		New      string `json:"new"`
	}
)

func (u *unit) printJSON(out io.Writer, fset *token.FileSet, found []analysis.Diagnostic) error {
	list := make([]jsonDiagnostic, len(found))
	for i, d := range found {
		list[i] = jsonDiagnostic{
			Category: d.Category, Message: d.Message,
			Posn: fset.Position(d.Pos).String(), End: fset.Position(d.End).String(),
			Fixes: jsonFixes(fset, d.SuggestedFixes),
		}
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "\t")
	return encoder.Encode(map[string]map[string][]jsonDiagnostic{u.ID: {"bgvet": list}})
}

func jsonFixes(fset *token.FileSet, fixes []analysis.SuggestedFix) []jsonFix {
	list := make([]jsonFix, len(fixes))
	for i, fix := range fixes {
		list[i] = jsonFix{Message: fix.Message, Edits: make([]jsonEdit, len(fix.TextEdits))}
		for j, edit := range fix.TextEdits {
			list[i].Edits[j] = jsonEdit{
				Filename: fset.Position(edit.Pos).Filename,
				Start:    fset.Position(edit.Pos).Offset, End: fset.Position(edit.End).Offset,
				New: string(edit.NewText),
			}
		}
	}
	return list
}
