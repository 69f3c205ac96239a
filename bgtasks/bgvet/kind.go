package bgvet

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// A kind is what a value has to do with a request, as far as a task is concerned.
type kind int

const (
	harmless   kind = iota
	writer          // a response, or what writes to one
	request         // a request that a handler was given, or a copy of it
	reqContext      // a context that ends with the request
	reqBody         // what reads a request's body
	background      // context.Background()
)

// A scope is where an expression is evaluated: inside a task's code, or (nil) in a handler.
type scope struct {
	code     ast.Node            // runs after the response
	given    map[*types.Var]bool // contexts that were handed to Add
	requests map[*types.Var]bool // parameters of code that are known to be requests
	around   []*ast.FuncLit      // functions of the handler that are being looked into, code among them
}

// kindOf evaluates e by its type and by where its value comes from. In doubt it is
// harmless.
func (p *pkg) kindOf(e ast.Expr, s *scope) kind {
	return (&evaluation{pkg: p, scope: s}).kind(e, 0)
}

// An evaluation ends where a variable's value depends on itself.
type evaluation struct {
	*pkg
	scope *scope
	stack []*types.Var
}

func (ev *evaluation) kind(e ast.Expr, result int) kind {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		if v, ok := ev.pass.TypesInfo.Uses[e].(*types.Var); ok {
			return ev.variableKind(v)
		} else if v, ok := ev.pass.TypesInfo.Defs[e].(*types.Var); ok {
			return ev.variableKind(v)
		}
	case *ast.SelectorExpr:
		return ev.selectorKind(e)
	case *ast.StarExpr:
		return ev.kind(e.X, result)
	case *ast.TypeAssertExpr:
		return ev.kind(e.X, 0)
	case *ast.UnaryExpr:
		if e.Op == token.AND {
			return ev.kind(e.X, 0)
		}
	case *ast.CompositeLit:
		return ev.literalKind(e)
	case *ast.CallExpr:
		return ev.callKind(e, result)
	}
	return harmless
}

func (ev *evaluation) variableKind(v *types.Var) kind {
	if v.IsField() {
		return ev.fieldKind(v)
	}
	if slices.Contains(ev.stack, v) {
		return harmless
	}
	if ev.scope != nil && ev.scope.given[v] && !inside(ev.scope.code, v.Pos()) {
		return reqContext
	}
	ev.stack = append(ev.stack, v)
	defer func() { ev.stack = ev.stack[:len(ev.stack)-1] }()
	if fn := ev.params[v]; fn != nil {
		return ev.paramKind(v, fn)
	}
	for _, s := range ev.sources[v] {
		if k := ev.sourceKind(v, s); k != harmless {
			return k
		}
	}
	return harmless
}

// sourceKind is the kind that a variable has from one of its sources.
func (ev *evaluation) sourceKind(v *types.Var, s source) kind {
	if t := v.Type(); s.each || s.index > 0 && !isContext(t) && !isRequest(t) && !isWriter(t) {
		return harmless
	}
	return ev.kind(s.expr, s.index)
}

func (ev *evaluation) paramKind(v *types.Var, fn ast.Node) kind {
	own := ev.scope != nil && (fn == ev.scope.code || inside(ev.scope.code, fn.Pos()))
	switch {
	case own && ev.scope.requests[v]:
		return request
	case own:
		return harmless
	case isWriter(v.Type()):
		return writer
	case isRequest(v.Type()) && !ev.outgoing(v, nil):
		return request
	case isContext(v.Type()):
		return ev.agreed(v)
	}
	return harmless
}

// fieldKind is the kind of a field of a struct, whichever, if this package sets it to
// values of one kind only.
func (ev *evaluation) fieldKind(v *types.Var) kind {
	if v.Pkg() != ev.pass.Pkg || slices.Contains(ev.stack, v) {
		return harmless
	}
	ev.stack = append(ev.stack, v)
	defer func() { ev.stack = ev.stack[:len(ev.stack)-1] }()
	return ev.agreed(v)
}

func (ev *evaluation) agreed(v *types.Var) kind {
	outer := ev.scope
	ev.scope = nil // the sources are elsewhere
	defer func() { ev.scope = outer }()
	found := harmless
	for i, s := range ev.sources[v] {
		k := ev.sourceKind(v, s)
		if i > 0 && k != found {
			return harmless
		}
		found = k
	}
	return found
}

func (ev *evaluation) selectorKind(e *ast.SelectorExpr) kind {
	selection := ev.pass.TypesInfo.Selections[e]
	if selection == nil { // of a package
		return harmless
	}
	base := ev.kind(e.X, 0)
	if selection.Kind() != types.FieldVal {
		if base == writer && !harmlessMethod[e.Sel.Name] {
			return writer // w.Write, as a value
		}
		return harmless
	}
	v := selection.Obj().(*types.Var).Origin()
	switch {
	case base == request && v.Name() == "Body" && isRequest(ev.typeOf(e.X)):
		if ev.replacesBody(ev.variable(e.X), v) { // has been read, and is to be read again
			return harmless
		}
		return reqBody
	case base == writer && isWriter(v.Type()):
		return writer
	}
	return ev.fieldKind(v)
}

// replacesBody reports whether the field Body of r is set to something that the request's
// end does not close.
func (p *pkg) replacesBody(r, field *types.Var) bool {
	return r != nil && slices.ContainsFunc(p.sources[field], func(s source) bool {
		call, ok := ast.Unparen(s.expr).(*ast.CallExpr)
		return s.of == r && !(ok && isFunc(p.callee(call), httpPath, "MaxBytesReader"))
	})
}

// literalKind is that of a struct around a writer.
func (ev *evaluation) literalKind(lit *ast.CompositeLit) kind {
	if !isWriter(ev.typeOf(lit)) {
		return harmless
	}
	for _, element := range lit.Elts {
		if kv, ok := element.(*ast.KeyValueExpr); ok {
			element = kv.Value
		}
		if ev.kind(element, 0) == writer {
			return writer
		}
	}
	return harmless
}

func (ev *evaluation) callKind(call *ast.CallExpr, result int) kind {
	if ev.isConversion(call) && len(call.Args) == 1 {
		return ev.kind(call.Args[0], 0)
	}
	callee := ev.callee(call)
	if sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok && isRequest(ev.typeOf(sel.X)) {
		return ev.requestMethodKind(callee, sel, result)
	}
	switch {
	case isFunc(callee, "context", "Background", "TODO"):
		return background
	case isFunc(callee, httpPath, "MaxBytesReader") && len(call.Args) == 3: // not f(g())
		return ev.kind(call.Args[1], 0)
	case isContext(ev.resultType(call, result)):
		return ev.contextKind(call, callee)
	case wraps(callee):
		return ev.wrapperKind(call)
	}
	return ev.returnedKind(call, callee, result)
}

func (ev *evaluation) requestMethodKind(callee types.Object, sel *ast.SelectorExpr, result int) kind {
	if result != 0 || ev.kind(sel.X, 0) != request {
		return harmless
	}
	switch callee.Name() {
	case "Context":
		return reqContext
	case "WithContext", "Clone":
		return request
	case "MultipartReader":
		return reqBody
	}
	return harmless
}

// contextKind is the kind of a context that is made from another.
func (ev *evaluation) contextKind(call *ast.CallExpr, callee types.Object) kind {
	for _, arg := range call.Args {
		if !isContext(ev.typeOf(arg)) {
			continue
		}
		k := ev.kind(arg, 0)
		if k == background && (callee == nil || callee.Pkg() == nil || callee.Pkg().Path() != "context") {
			return harmless
		}
		return k
	}
	return ev.returnedKind(call, callee, 0)
}

// wrapperKind is the kind of what is built around a writer or a body: json.NewEncoder(w).
func (ev *evaluation) wrapperKind(call *ast.CallExpr) kind {
	for _, arg := range call.Args {
		if k := ev.kind(arg, 0); k == writer || k == reqBody {
			return k
		}
	}
	return harmless
}

func wraps(fn types.Object) bool {
	f, ok := fn.(*types.Func)
	if !ok || f.Pkg() == nil || !isStd(f.Pkg()) && !strings.HasPrefix(f.Pkg().Path(), chiPath) {
		return false
	}
	switch f.Pkg().Path() {
	case "io":
		return slices.Contains([]string{"TeeReader", "LimitReader", "MultiReader", "MultiWriter", "NopCloser"}, f.Name())
	case httpPath:
		return f.Name() == "NewResponseController"
	}
	return strings.HasPrefix(f.Name(), "New")
}

// returnedKind looks into a function of this package whose results are of one kind.
func (ev *evaluation) returnedKind(call *ast.CallExpr, callee types.Object, result int) kind {
	decl, t := ev.declared(callee), ev.resultType(call, result)
	if decl == nil || len(ev.stack) > 8 || !isContext(t) && !isRequest(t) && !isWriter(t) {
		return harmless
	}
	outer := ev.scope
	ev.scope = nil
	defer func() { ev.scope = outer }()
	for ret := range returns(decl) {
		if result >= len(ret.Results) {
			continue
		}
		if v := ev.variable(ret.Results[result]); v != nil && slices.Contains(ev.stack, v) {
			continue
		}
		marker := types.NewVar(decl.Pos(), nil, decl.Name.Name, nil)
		ev.stack = append(ev.stack, marker) // bounds recursion
		k := ev.kind(ret.Results[result], 0)
		ev.stack = ev.stack[:len(ev.stack)-1]
		if k != harmless {
			return k
		}
	}
	return harmless
}

func (p *pkg) declared(fn types.Object) *ast.FuncDecl {
	f, ok := fn.(*types.Func)
	if !ok {
		return nil
	}
	return p.decls[f]
}

// returns yields the return statements of a function, not of those in it.
func returns(fn ast.Node) func(func(*ast.ReturnStmt) bool) {
	return func(yield func(*ast.ReturnStmt) bool) {
		on := true
		ast.Inspect(body(fn), func(n ast.Node) bool {
			if _, ok := n.(*ast.FuncLit); ok || !on {
				return false
			}
			if ret, ok := n.(*ast.ReturnStmt); ok {
				on = yield(ret)
			}
			return on
		})
	}
}

func (p *pkg) resultType(call *ast.CallExpr, i int) types.Type {
	switch t := p.typeOf(call).(type) {
	case *types.Tuple:
		if i < t.Len() {
			return t.At(i).Type()
		}
	case nil:
	default:
		if i == 0 {
			return t
		}
	}
	return nil
}
