package bgvet

import (
	"go/ast"
	"go/types"
	"slices"
)

// A way is how the value of a parameter gets to Add.
type way int

const (
	no        way = iota
	asResults     // it is a function that is called at once: what it returns is handed on
	asItself
)

// findPassers finds the functions of this package that hand one of their parameters to Add,
// or to another such function.
func (p *pkg) findPassers() {
	for {
		before := p.countPassers()
		for _, call := range p.calls {
			for _, h := range p.handed(call) {
				p.notePasser(call, h)
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
		for _, w := range positions {
			n += int(w) // a parameter that is found again in a better way counts
		}
	}
	return n
}

// notePasser looks at the functions around a call that hands something on: it may be made from
// a parameter of any of them.
func (p *pkg) notePasser(call *ast.CallExpr, h handing) {
	for fn := p.function(call); fn != nil; fn = p.function(fn) {
		obj := p.named(fn)
		if obj == nil {
			continue
		}
		for i, param := range paramsOf(p.pass.TypesInfo, fn) {
			if param == nil || !carriesFunc(param.Type()) {
				continue
			}
			w := p.wayOf(h, param)
			if w == no {
				continue
			}
			if p.passers[obj] == nil {
				p.passers[obj] = make(map[int]way)
			}
			p.passers[obj][i] = max(p.passers[obj][i], w)
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
	for range 4 { // a type may have itself as its element
		if t == nil {
			return false
		}
		switch u := t.Underlying().(type) {
		case *types.Slice:
			t = u.Elem()
		case *types.Map:
			t = u.Elem()
		case *types.Struct:
			for field := range u.Fields() {
				if isFuncType(field.Type()) {
					return true
				}
			}
			return false
		default:
			return isFuncType(t)
		}
	}
	return false
}

// wayOf tells how v gets to Add in what is handed on.
func (p *pkg) wayOf(h handing, v *types.Var) way {
	fn := p.codeOf(h.expr)
	if h.way == asItself || fn == nil {
		return min(h.way, p.wayInto(h.expr, v))
	}
	w := no
	for ret := range returns(fn) {
		for _, e := range ret.Results {
			if carriesFunc(p.typeOf(e)) {
				w = max(w, p.wayInto(e, v))
			}
		}
	}
	return w
}

// wayInto tells how v is mentioned in e, or in what the variables in e get.
func (p *pkg) wayInto(e ast.Expr, v *types.Var) way {
	if v == nil {
		return no
	}
	return p.wayThrough(e, v, make(map[*types.Var]bool))
}

func (p *pkg) wayThrough(e ast.Expr, v *types.Var, seen map[*types.Var]bool) way {
	found := no
	ast.Inspect(e, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		if !ok {
			return found != asItself
		}
		used, ok := p.pass.TypesInfo.Uses[id].(*types.Var)
		switch {
		case !ok || used.IsField() || seen[used]:
		case used == v && p.calledAtOnce(id, e):
			found = max(found, asResults)
		case used == v:
			found = asItself
		case p.params[used] == nil && carriesFunc(used.Type()):
			seen[used] = true
			for _, s := range p.sources[used] {
				found = max(found, p.wayThrough(s.expr, v, seen))
			}
		}
		return true
	})
	return found
}

// calledAtOnce reports whether f is called where e is evaluated, and not in a function in e.
func (p *pkg) calledAtOnce(f *ast.Ident, e ast.Expr) bool {
	call, ok := p.above(f).(*ast.CallExpr)
	return ok && ast.Unparen(call.Fun) == f && p.function(f) == p.function(e)
}
