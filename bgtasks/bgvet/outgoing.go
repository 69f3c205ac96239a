package bgvet

import (
	"go/ast"
	"go/types"
	"slices"
)

// outgoing reports whether a variable holds a request that this program has made, to send it:
// as a parameter, that all callers have.
func (p *pkg) outgoing(v *types.Var, seen []*types.Var) bool {
	if slices.Contains(seen, v) {
		return true // as its other values are
	}
	if fn := p.params[v]; fn != nil && slices.Contains(paramsOf(p.pass.TypesInfo, fn), v) && !p.callersKnown(fn) {
		return false
	}
	for _, s := range p.sources[v] {
		if s.each || s.index != 0 || !p.makesRequest(s.expr, append(seen, v)) {
			return false
		}
	}
	return len(p.sources[v]) > 0
}

// makesRequest reports whether e is a new request, or a copy of one.
func (p *pkg) makesRequest(e ast.Expr, seen []*types.Var) bool {
	call, ok := ast.Unparen(e).(*ast.CallExpr)
	if !ok {
		v := p.variable(e)
		return v != nil && !v.IsField() && p.outgoing(v, seen)
	}
	callee := p.callee(call)
	if sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok && isMethod(callee, httpPath, "Request", "WithContext", "Clone") {
		return p.makesRequest(sel.X, seen)
	}
	return isFunc(callee, httpPath, "NewRequest", "NewRequestWithContext")
}

// callersKnown reports whether a function is called in this package, and nothing else is done
// with it. One that answers requests has net/http for a caller.
func (p *pkg) callersKnown(fn ast.Node) bool {
	decl, ok := fn.(*ast.FuncDecl)
	if !ok || slices.ContainsFunc(paramsOf(p.pass.TypesInfo, fn), func(v *types.Var) bool { return v != nil && isWriter(v.Type()) }) {
		return false
	}
	obj, _ := p.pass.TypesInfo.Defs[decl.Name].(*types.Func)
	known := false
	for _, use := range p.uses[obj] {
		if !p.calledPlainly(use, obj.Signature()) {
			return false
		}
		known = known || !inside(decl, use.Pos())
	}
	return known
}

// calledPlainly reports whether a function is called with an argument for each parameter.
func (p *pkg) calledPlainly(use *ast.Ident, sig *types.Signature) bool {
	fun := ast.Expr(use)
	if sel, ok := p.parents[use].(*ast.SelectorExpr); ok {
		fun = sel
	}
	call, ok := p.above(fun).(*ast.CallExpr)
	return ok && ast.Unparen(call.Fun) == fun && !sig.Variadic() && len(call.Args) == sig.Params().Len()
}
