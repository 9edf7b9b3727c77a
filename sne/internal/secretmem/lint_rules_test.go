package secretmem_test

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// The kinds of offences.
const (
	compares    = "compares a secret in variable time"
	prints      = "hands a secret to a printer"
	marshals    = "marshals a secret"
	stringifies = "turns a secret into a string"
	keys        = "uses a secret as a map key"
)

type offence struct {
	pos  token.Pos
	what string
}

// linter looks at one package. A type is secret if it hides itself from package
// slog (a LogValue method), as the house wants of all of them. Raw bytes are
// those of a secret: a slice or an element of one, a conversion, what a method
// of a secret gives out as bytes without an error (Seeds, bytes), and local
// variables that were set to such.
type linter struct {
	info     *types.Info
	raw      map[types.Object]bool
	offences []offence
	seen     int // expressions of secret types
}

func (l *linter) say(n ast.Node, what string) {
	l.offences = append(l.offences, offence{n.Pos(), what})
}

func (l *linter) file(f *ast.File) {
	for range 2 { // the second time with all variables known
		ast.Inspect(f, func(n ast.Node) bool { l.taint(n); return true })
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if e, ok := n.(ast.Expr); ok && isSecret(l.info.TypeOf(e)) {
			l.seen++
		}
		switch n := n.(type) {
		case *ast.CallExpr:
			l.call(n)
		case *ast.BinaryExpr:
			if n.Op == token.EQL || n.Op == token.NEQ {
				l.equal(n)
			}
		case *ast.SwitchStmt:
			if n.Tag != nil && l.byValue(n.Tag) {
				l.say(n, compares)
			}
		case *ast.MapType:
			if t := l.info.TypeOf(n.Key); holds(t, false) {
				l.say(n, keys)
			}
		case *ast.StructType:
			for _, field := range n.Fields.List {
				if field.Tag != nil && strings.Contains(field.Tag.Value, "json:") && holds(l.info.TypeOf(field.Type), true) {
					l.say(field, marshals)
				}
			}
		}
		return true
	})
}

// taint notes the local variables that hold raw bytes.
func (l *linter) taint(n ast.Node) {
	set := func(name ast.Expr, value ast.Expr) {
		if id, ok := name.(*ast.Ident); ok && l.isRaw(value) {
			if o := l.info.ObjectOf(id); o != nil {
				l.raw[o] = true
			}
		}
	}
	switch n := n.(type) {
	case *ast.AssignStmt:
		if len(n.Lhs) == len(n.Rhs) {
			for i := range n.Lhs {
				set(n.Lhs[i], n.Rhs[i])
			}
		}
	case *ast.ValueSpec:
		if len(n.Names) == len(n.Values) {
			for i := range n.Names {
				set(n.Names[i], n.Values[i])
			}
		}
	}
}

// isRaw tells whether e is bytes of a secret in a type that no longer says so.
func (l *linter) isRaw(e ast.Expr) bool {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		return l.raw[l.info.ObjectOf(e)]
	case *ast.SliceExpr:
		return isSecret(l.info.TypeOf(e.X)) || l.isRaw(e.X)
	case *ast.IndexExpr:
		return isBytes(l.info.TypeOf(e.X)) && (isSecret(l.info.TypeOf(e.X)) || l.isRaw(e.X))
	case *ast.StarExpr:
		return l.isRaw(e.X)
	case *ast.UnaryExpr:
		return e.Op == token.AND && l.isRaw(e.X)
	case *ast.CallExpr:
		if tv := l.info.Types[e.Fun]; tv.IsType() {
			return len(e.Args) == 1 && !isSecret(tv.Type) && isBytes(tv.Type) && (isSecret(l.info.TypeOf(e.Args[0])) || l.isRaw(e.Args[0]))
		}
		if id, ok := e.Fun.(*ast.Ident); ok && id.Name == "append" {
			for _, a := range e.Args {
				if l.isRaw(a) {
					return true
				}
			}
			return false
		}
		sel, ok := e.Fun.(*ast.SelectorExpr)
		if !ok || l.info.Selections[sel] == nil {
			return false
		}
		t := l.info.TypeOf(e)
		_, named := types.Unalias(t).(*types.Named) // a type of its own speaks for itself
		return !named && isBytes(t) && isSecret(l.info.TypeOf(sel.X))
	}
	return false
}

// shown tells whether a printer or encoder that gets e gets a secret.
func (l *linter) shown(e ast.Expr) bool { return l.isRaw(e) || holds(l.info.TypeOf(e), true) }

// byValue tells whether == on e looks at the bytes of a secret.
func (l *linter) byValue(e ast.Expr) bool { return l.isRaw(e) || holds(l.info.TypeOf(e), false) }

func (l *linter) equal(n *ast.BinaryExpr) {
	for _, e := range []ast.Expr{n.X, n.Y} {
		if _, pointer := l.info.TypeOf(e).Underlying().(*types.Pointer); pointer || l.info.Types[n.X].IsNil() || l.info.Types[n.Y].IsNil() {
			continue
		}
		if l.byValue(e) {
			l.say(n, compares)
			return
		}
	}
}

func (l *linter) call(n *ast.CallExpr) {
	some := func(f func(ast.Expr) bool) bool {
		for _, a := range n.Args {
			if f(a) {
				return true
			}
		}
		return false
	}
	if tv := l.info.Types[n.Fun]; tv.IsType() {
		if b, ok := tv.Type.Underlying().(*types.Basic); ok && b.Kind() == types.String && some(func(e ast.Expr) bool { return l.isRaw(e) || isSecret(l.info.TypeOf(e)) }) {
			l.say(n, stringifies)
		}
		return
	}
	switch pkg, name := l.callee(n); {
	case (pkg == "bytes" || pkg == "slices" || pkg == "reflect" || pkg == "strings" || pkg == "maps") && comparison(name):
		if some(l.shown) {
			l.say(n, compares)
		}
	case pkg == "fmt" || pkg == "log" || pkg == "log/slog" || pkg == "builtin" && (name == "print" || name == "println" || name == "panic"):
		if some(l.shown) {
			l.say(n, prints)
		}
	case strings.HasPrefix(pkg, "encoding/") && pkg != "encoding/binary":
		if some(l.shown) {
			l.say(n, marshals)
		}
	}
}

func comparison(name string) bool {
	for _, s := range []string{"Equal", "Compare", "Contains", "Index", "HasPrefix", "HasSuffix", "Count", "Cut"} {
		if strings.Contains(name, s) {
			return true
		}
	}
	return false
}

// callee names the package and function or method that n calls.
func (l *linter) callee(n *ast.CallExpr) (pkg, name string) {
	fun := ast.Unparen(n.Fun)
	if x, ok := fun.(*ast.IndexExpr); ok { // an instance of a generic function
		fun = x.X
	}
	var id *ast.Ident
	switch f := fun.(type) {
	case *ast.Ident:
		id = f
	case *ast.SelectorExpr:
		id = f.Sel
	default:
		return "", ""
	}
	switch o := l.info.Uses[id].(type) {
	case *types.Builtin:
		return "builtin", o.Name()
	case *types.Func:
		if o.Pkg() != nil {
			return o.Pkg().Path(), o.Name()
		}
	}
	return "", ""
}

// isSecret tells whether t, or what it points to, is one of the house's secret
// types.
func isSecret(t types.Type) bool {
	if t == nil {
		return false
	}
	t = types.Unalias(t)
	if p, ok := t.(*types.Pointer); ok {
		t = types.Unalias(p.Elem())
	}
	n, ok := t.(*types.Named)
	if !ok || n.Obj().Pkg() == nil || !strings.HasPrefix(n.Obj().Pkg().Path(), "sonahub/") {
		return false
	}
	if _, ok := n.Underlying().(*types.Interface); ok {
		return false
	}
	m, _, _ := types.LookupFieldOrMethod(types.NewPointer(n), false, n.Obj().Pkg(), "LogValue")
	_, ok = m.(*types.Func)
	return ok
}

// holds tells whether a value of that type has a secret inside, behind pointers
// too if deep.
func holds(t types.Type, deep bool) bool { return inside(t, deep, map[types.Type]bool{}) }

func inside(t types.Type, deep bool, seen map[types.Type]bool) bool {
	if t == nil || seen[t] {
		return false
	}
	seen[t] = true
	t = types.Unalias(t)
	if _, pointer := t.(*types.Pointer); isSecret(t) && (deep || !pointer) {
		return true
	}
	if n, ok := t.(*types.Named); ok && n.Obj().Pkg() != nil && !strings.HasPrefix(n.Obj().Pkg().Path(), "sonahub/") {
		return false // others' types hold none of ours
	}
	switch u := t.Underlying().(type) {
	case *types.Struct:
		for f := range u.Fields() {
			if inside(f.Type(), deep, seen) {
				return true
			}
		}
	case *types.Array:
		return inside(u.Elem(), deep, seen)
	case *types.Slice:
		return deep && inside(u.Elem(), deep, seen)
	case *types.Map:
		return deep && (inside(u.Elem(), deep, seen) || inside(u.Key(), deep, seen))
	case *types.Pointer:
		return deep && inside(u.Elem(), deep, seen)
	}
	return false
}

// isBytes tells whether t is bytes, one byte or a string.
func isBytes(t types.Type) bool {
	if t == nil {
		return false
	}
	switch u := t.Underlying().(type) {
	case *types.Slice:
		return isByte(u.Elem())
	case *types.Array:
		return isByte(u.Elem())
	case *types.Pointer:
		a, ok := u.Elem().Underlying().(*types.Array)
		return ok && isByte(a.Elem())
	case *types.Basic:
		return u.Kind() == types.String || u.Kind() == types.Byte
	}
	return false
}

func isByte(t types.Type) bool {
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Kind() == types.Byte
}
