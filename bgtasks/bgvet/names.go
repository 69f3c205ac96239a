package bgvet

import (
	"go/ast"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/types/typeutil"
)

const (
	bgtasksPath = "github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	chimwPath   = "github.com/chi-bgtasks/chi-bgtasks/chimw"
	chiPath     = "github.com/go-chi/chi/v5"
	httpPath    = "net/http"
)

// isFunc reports whether obj is one of the functions with these names in that package.
func isFunc(obj types.Object, path string, names ...string) bool {
	fn, ok := obj.(*types.Func)
	return ok && fn.Pkg() != nil && fn.Pkg().Path() == path &&
		fn.Signature().Recv() == nil && slices.Contains(names, fn.Name())
}

// isMethod reports whether obj is one of the methods with these names of that type.
func isMethod(obj types.Object, path, typ string, names ...string) bool {
	fn, ok := obj.(*types.Func)
	if !ok || fn.Signature().Recv() == nil || !slices.Contains(names, fn.Name()) {
		return false
	}
	return isNamed(fn.Signature().Recv().Type(), path, typ)
}

// isNamed reports whether t is that type, or a pointer to it.
func isNamed(t types.Type, path, name string) bool {
	if t == nil {
		return false
	}
	if ptr, ok := types.Unalias(t).(*types.Pointer); ok {
		t = ptr.Elem()
	}
	named, ok := types.Unalias(t).(*types.Named)
	return ok && named.Obj().Name() == name && named.Obj().Pkg() != nil && named.Obj().Pkg().Path() == path
}

func isRequest(t types.Type) bool { return isNamed(t, httpPath, "Request") }

func isContext(t types.Type) bool { return isNamed(t, "context", "Context") }

// isWriter reports whether t is http.ResponseWriter, an interface that has its methods, or
// a struct around one.
func isWriter(t types.Type) bool {
	if t == nil {
		return false
	}
	if iface, ok := t.Underlying().(*types.Interface); ok {
		return hasMethods(iface, "Header", "Write", "WriteHeader")
	}
	if ptr, ok := types.Unalias(t).(*types.Pointer); ok {
		t = ptr.Elem()
	}
	s, ok := t.Underlying().(*types.Struct)
	if !ok {
		return false
	}
	for field := range s.Fields() {
		if field.Embedded() && isInterface(field.Type()) && isWriter(field.Type()) {
			return true
		}
	}
	return false
}

func isInterface(t types.Type) bool { return t != nil && types.IsInterface(t) }

func isFuncType(t types.Type) bool {
	if t == nil {
		return false
	}
	_, ok := t.Underlying().(*types.Signature)
	return ok
}

func hasMethods(iface *types.Interface, names ...string) bool {
	n := 0
	for m := range iface.Methods() {
		if slices.Contains(names, m.Name()) {
			n++
		}
	}
	return n == len(names)
}

// std are the first elements of the paths of the standard library. That there is no dot in one
// says nothing: a module may be called "shop".
var std = strings.Fields(`archive bufio builtin bytes cmp compress container context crypto
	database debug embed encoding errors expvar flag fmt go hash html image index io iter log maps
	math mime net os path plugin reflect regexp runtime slices sort strconv strings structs sync
	syscall testing text time unicode unique unsafe weak`)

// isStd reports whether a package is of the standard library.
func isStd(pkg *types.Package) bool {
	if pkg == nil {
		return false
	}
	first, _, _ := strings.Cut(pkg.Path(), "/")
	return slices.Contains(std, first)
}

// callee is the function or the variable that a call calls, or nil.
func (p *pkg) callee(call *ast.CallExpr) types.Object {
	obj := typeutil.Callee(p.pass.TypesInfo, call)
	if fn, ok := obj.(*types.Func); ok {
		return fn.Origin()
	}
	return obj
}

func (p *pkg) isConversion(call *ast.CallExpr) bool {
	tv, ok := p.pass.TypesInfo.Types[call.Fun]
	return ok && tv.IsType()
}

// object is what a name or a selector refers to, or nil.
func (p *pkg) object(e ast.Expr) types.Object {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		return p.pass.TypesInfo.ObjectOf(e)
	case *ast.SelectorExpr:
		obj := p.pass.TypesInfo.ObjectOf(e.Sel)
		if fn, ok := obj.(*types.Func); ok {
			return fn.Origin()
		}
		return obj
	case *ast.IndexExpr: // a generic function
		return p.object(e.X)
	}
	return nil
}

func (p *pkg) variable(e ast.Expr) *types.Var {
	v, _ := p.object(e).(*types.Var)
	if v != nil {
		return v.Origin()
	}
	return nil
}

func (p *pkg) typeOf(e ast.Expr) types.Type { return p.pass.TypesInfo.TypeOf(e) }
