package bgvet

import (
	"fmt"
	"go/ast"
	"go/types"
	"slices"
	"strings"
)

// checkRelease reports what a task uses and the handler releases by a defer statement,
// before the task runs (check 6).
func (p *pkg) checkRelease(t *task) {
	adder := p.function(t.add)
	lit, ok := t.code.(*ast.FuncLit)
	if adder == nil || p.waits(adder) || ok && !inside(adder, lit.Pos()) {
		return
	}
	for _, r := range p.released(adder) {
		if r.mutex {
			p.checkUnlock(t, adder, r)
			continue
		}
		if use := p.useOf(t, r); use != nil {
			p.found(use, "release", fmt.Sprintf(
				"%s is released when the handler returns (%s, on line %d), before this task runs: release it in the task, "+
					"and in the handler only if Add returns an error", p.source(use), r.how, p.line(r.call.Pos())))
		}
	}
}

// A release is a call in a defer statement that ends the use of something.
type release struct {
	path   ast.Expr // a variable, or a field
	how    string
	call   *ast.CallExpr
	mutex  bool
	pooled bool // given back for others to use
}

// released are the releases that a function defers, whatever happens in it.
func (p *pkg) released(fn ast.Node) []release {
	var found []release
	ast.Inspect(body(fn), func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.DeferStmt:
			for _, call := range deferred(n) {
				if r, ok := p.releaseOf(call); ok {
					found = append(found, r)
				}
			}
			return false
		}
		return true
	})
	return found
}

// deferred are the calls that a defer statement always makes.
func deferred(s *ast.DeferStmt) []*ast.CallExpr {
	lit, ok := ast.Unparen(s.Call.Fun).(*ast.FuncLit)
	if !ok {
		return []*ast.CallExpr{s.Call}
	}
	var calls []*ast.CallExpr
	add := func(exprs ...ast.Expr) {
		for _, e := range exprs {
			if call, ok := ast.Unparen(e).(*ast.CallExpr); ok {
				calls = append(calls, call)
			}
		}
	}
	for _, s := range lit.Body.List {
		last := mayEnd(s)
		if branch, ok := s.(*ast.IfStmt); ok {
			if b, ok := ast.Unparen(branch.Cond).(*ast.BinaryExpr); ok {
				add(b.X)
			}
			s = branch.Init
		}
		switch s := s.(type) {
		case *ast.ExprStmt:
			add(s.X)
		case *ast.AssignStmt:
			add(s.Rhs...)
		}
		if last { // what follows is not always run
			break
		}
	}
	return calls
}

// mayEnd reports whether there is a return in a statement, of the function that it is in.
func mayEnd(s ast.Stmt) bool {
	found := false
	ast.Inspect(s, func(n ast.Node) bool {
		_, nested := n.(*ast.FuncLit)
		_, ret := n.(*ast.ReturnStmt)
		found = found || ret
		return !found && !nested
	})
	return found
}

func (p *pkg) releaseOf(call *ast.CallExpr) (release, bool) {
	r := release{call: call}
	switch fun := ast.Unparen(call.Fun).(type) {
	case *ast.Ident: // cancel()
		v := p.variable(fun)
		if v == nil || !isFuncType(v.Type()) {
			return r, false
		}
		r.how, r.path = fun.Name+"()", p.cancelled(v)
	case *ast.SelectorExpr:
		r.how = types.ExprString(fun) + "()"
		switch name := fun.Sel.Name; {
		case isMethod(p.callee(call), "sync", "Pool", "Put") && len(call.Args) == 1:
			r.how, r.path, r.pooled = types.ExprString(call), call.Args[0], true
		case slices.Contains([]string{"Close", "Rollback", "Release"}, name) && len(call.Args) <= 1:
			r.path = fun.X
		case name == "Unlock" || name == "RUnlock":
			r.path, r.mutex = fun.X, true
		}
	}
	return r, r.path != nil && p.variable(r.path) != nil
}

// cancelled is what a function ends that was made together with it: a context, a
// subscription.
func (p *pkg) cancelled(cancel *types.Var) ast.Expr {
	name := p.names[cancel]
	if name == nil {
		return nil
	}
	assign, ok := p.parents[name].(*ast.AssignStmt)
	if !ok || len(assign.Lhs) != 2 || len(assign.Rhs) != 1 || assign.Lhs[1] != name || !ends(name.Name) {
		return nil
	}
	if t := p.typeOf(assign.Lhs[0]); t == nil || isBasic(t) {
		return nil
	}
	return assign.Lhs[0]
}

func ends(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc([]string{"cancel", "stop", "close", "cleanup", "release", "unsubscribe"}, func(word string) bool {
		return strings.Contains(name, word)
	})
}

func isBasic(t types.Type) bool {
	_, ok := t.Underlying().(*types.Basic)
	return ok
}

// useOf is where a task uses what is at path, or something built around it.
func (p *pkg) useOf(t *task, r release) ast.Node {
	path, target := r.path, p.variable(r.path)
	var found ast.Node
	look := func(n ast.Node) {
		p.eachUse(n, func(id *ast.Ident, v *types.Var) {
			if found == nil && !inside(t.code, v.Pos()) && p.reaches(id, v, r) {
				found = id
			}
		})
	}
	if lit, ok := t.code.(*ast.FuncLit); ok {
		look(lit.Body)
	}
	for _, arg := range t.args {
		if p.reachesWhole(arg.expr, path, target) {
			found = arg.expr
		}
	}
	if t.recv != nil && p.reachesWhole(t.recv, path, target) {
		found = t.recv
	}
	return found
}

// reaches reports whether the use of v at id is one of what is at path.
func (p *pkg) reaches(id *ast.Ident, v *types.Var, r release) bool {
	path, target := r.path, p.variable(r.path)
	e := ast.Expr(id)
	for types.ExprString(e) != types.ExprString(path) {
		sel, ok := p.above(e).(*ast.SelectorExpr)
		if !ok {
			return p.builtAround(v, path, target) && !p.idle(id)
		}
		e = sel
	}
	if p.variable(e) != target || p.idle(e) {
		return false
	}
	sel, _ := p.selected(e)
	return sel == nil || r.pooled || !survives(sel.Sel.Name)
}

// survives reports whether a method of what has been closed still works.
func survives(method string) bool {
	return slices.Contains([]string{"Name", "String", "Lock", "RLock", "TryLock", "Err", "Value"}, method)
}

func (p *pkg) reachesWhole(e, path ast.Expr, target *types.Var) bool {
	e = ast.Unparen(e)
	if addr, ok := e.(*ast.UnaryExpr); ok {
		e = ast.Unparen(addr.X)
	}
	if lit, ok := e.(*ast.CompositeLit); ok {
		return slices.ContainsFunc(lit.Elts, func(element ast.Expr) bool {
			if kv, ok := element.(*ast.KeyValueExpr); ok {
				element = kv.Value
			}
			return p.reachesWhole(element, path, target)
		})
	}
	if v := p.variable(e); v != nil {
		return v == target && types.ExprString(e) == types.ExprString(path) || p.builtAround(v, path, target)
	}
	return false
}

// builtAround reports whether v was made by a constructor that was handed what is at path:
// bufio.NewReader(file).
func (p *pkg) builtAround(v *types.Var, path ast.Expr, target *types.Var) bool {
	for _, s := range p.sources[v] {
		call, ok := ast.Unparen(s.expr).(*ast.CallExpr)
		if !ok || s.index != 0 || v == target {
			continue
		}
		fn, ok := p.callee(call).(*types.Func)
		if !ok || !wraps(fn) && !strings.HasPrefix(fn.Name(), "New") {
			continue
		}
		for _, arg := range call.Args {
			if p.variable(arg) == target && types.ExprString(ast.Unparen(arg)) == types.ExprString(path) && p.keeps(call, fn, arg) {
				return true
			}
		}
	}
	return false
}

// keeps reports whether what a constructor returns has its argument in it. Those of the
// standard library are known to; others may only have read from it.
func (p *pkg) keeps(call *ast.CallExpr, fn *types.Func, arg ast.Expr) bool {
	t := p.typeOf(arg)
	if t == nil || isContext(t) {
		return false
	}
	result := p.resultType(call, 0)
	return isStd(fn.Pkg()) || isInterface(result) && !types.Identical(result, errorType) || canHold(result, t, 0)
}

// canHold reports whether a value of type t can be one of type part, or have it in a field.
func canHold(t, part types.Type, depth int) bool {
	if t == nil || depth > 3 { // a type may have itself in a field
		return false
	}
	if types.AssignableTo(part, t) {
		return true
	}
	if ptr, ok := t.Underlying().(*types.Pointer); ok {
		t = ptr.Elem()
	}
	s, ok := t.Underlying().(*types.Struct)
	if !ok {
		return false
	}
	for field := range s.Fields() {
		if canHold(field.Type(), part, depth+1) {
			return true
		}
	}
	return false
}

// waits reports whether a function can see the tasks run: it is a test or a program, or it
// serves requests itself.
func (p *pkg) waits(fn ast.Node) bool {
	if decl, ok := fn.(*ast.FuncDecl); ok {
		if decl.Name.Name == "main" || strings.HasPrefix(decl.Name.Name, "Example") || strings.HasPrefix(decl.Name.Name, "Test") {
			return true
		}
	}
	for _, v := range paramsOf(p.pass.TypesInfo, fn) {
		if v != nil && (isNamed(v.Type(), "testing", "T") || isNamed(v.Type(), "testing", "B") || isNamed(v.Type(), "testing", "TB") || isNamed(v.Type(), "testing", "F")) {
			return true
		}
	}
	found := false
	ast.Inspect(body(fn), func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if ok {
			found = found || isMethod(p.callee(call), bgtasksPath, "Runner", "Wait", "Shutdown") || isMethod(p.callee(call), bgtasksPath, "List", "Start")
		}
		return !found
	})
	return found
}
