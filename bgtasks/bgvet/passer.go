package bgvet

import (
	"go/ast"
	"go/types"
	"slices"
)

// findPassers finds the functions of this package that hand one of their parameters to Add,
// or to another such function.
func (p *pkg) findPassers() {
	for {
		before := p.countPassers()
		for _, call := range p.calls {
			for _, e := range p.handed(call) {
				p.notePasser(call, e)
			}
		}
		if p.countPassers() == before {
			return
		}
	}
}

func (p *pkg) countPassers() int {
	n := 0
	for _, positions := range p.passers {
		n += len(positions)
	}
	return n
}

// notePasser looks at the functions around a call that hands e on: e may be made from a
// parameter of any of them.
func (p *pkg) notePasser(call *ast.CallExpr, e ast.Expr) {
	for fn := p.function(call); fn != nil; fn = p.function(fn) {
		obj := p.named(fn)
		if obj == nil {
			continue
		}
		for i, param := range paramsOf(p.pass.TypesInfo, fn) {
			if param == nil || !carriesFunc(param.Type()) || !p.dependsOn(e, param) {
				continue
			}
			if p.passers[obj] == nil {
				p.passers[obj] = make(map[int]bool)
			}
			p.passers[obj][i] = true
		}
	}
}

// named is the function or variable by which fn is called, or nil.
func (p *pkg) named(fn ast.Node) types.Object {
	switch fn := fn.(type) {
	case *ast.FuncDecl:
		return p.pass.TypesInfo.Defs[fn.Name]
	case *ast.FuncLit:
		switch parent := p.above(fn).(type) {
		case *ast.AssignStmt:
			if i := slices.Index(parent.Rhs, ast.Expr(fn)); i >= 0 && len(parent.Lhs) == len(parent.Rhs) {
				if v := p.variable(parent.Lhs[i]); v != nil {
					return v
				}
			}
		case *ast.ValueSpec:
			if i := slices.Index(parent.Values, ast.Expr(fn)); i >= 0 && i < len(parent.Names) {
				return p.pass.TypesInfo.Defs[parent.Names[i]]
			}
		}
	}
	return nil
}

// carriesFunc reports whether a value of this type is, or has in it, a function.
func carriesFunc(t types.Type) bool {
	switch t := t.Underlying().(type) {
	case *types.Signature:
		return true
	case *types.Slice:
		return carriesFunc(t.Elem())
	case *types.Map:
		return carriesFunc(t.Elem())
	case *types.Struct:
		for field := range t.Fields() {
			if isFuncType(field.Type()) {
				return true
			}
		}
	}
	return false
}

// dependsOn reports whether v is mentioned in e, or in what the variables in e get.
func (p *pkg) dependsOn(e ast.Expr, v *types.Var) bool {
	return v != nil && p.depends(e, v, make(map[*types.Var]bool))
}

func (p *pkg) depends(e ast.Expr, v *types.Var, seen map[*types.Var]bool) bool {
	found := false
	ast.Inspect(e, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		if !ok || found {
			return !found
		}
		used, ok := p.pass.TypesInfo.Uses[id].(*types.Var)
		if !ok || used.IsField() || seen[used] {
			return true
		}
		seen[used] = true
		if used == v {
			found = true
		} else if p.params[used] == nil && carriesFunc(used.Type()) {
			found = slices.ContainsFunc(p.sources[used], func(s source) bool { return p.depends(s.expr, v, seen) })
		}
		return !found
	})
	return found
}
