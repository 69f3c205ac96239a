package bgvet

import (
	"fmt"
	"go/ast"
	"go/types"
)

// harmlessMethod are those of wrapped writers that tell what has been sent.
var harmlessMethod = map[string]bool{"Status": true, "BytesWritten": true, "Code": true, "Size": true, "Written": true}

// checkWriter reports the use of a response that has been sent (check 1).
func (p *pkg) checkWriter(m mention) {
	if p.tellsOnly(m.expr) {
		return
	}
	p.found(m.at(), "responsewriter", fmt.Sprintf(
		"%s belongs to a response that has been sent when this task runs: what is written to it reaches no client; "+
			"answer in the handler, and hand the task the values that it needs%s", p.source(m.expr), m.by()))
}

// tellsOnly reports whether a wrapped writer is asked only for what its wrapper knows.
func (p *pkg) tellsOnly(e ast.Expr) bool {
	sel, _ := p.selected(e)
	if sel == nil {
		return false
	}
	selection := p.pass.TypesInfo.Selections[sel]
	if selection == nil {
		return false
	}
	if selection.Kind() == types.FieldVal {
		return !isWriter(selection.Obj().Type())
	}
	return harmlessMethod[sel.Sel.Name]
}

// by names the function through which a task comes to what is reported.
func (m mention) by() string {
	if m.via == nil {
		return ""
	}
	return fmt.Sprintf(" (%s uses it)", m.via.Name)
}
