// Command target is a server for the soak to attack: it does what each request asks for, over
// HTTP/1.1 and HTTP/2, in cleartext and with TLS, and writes down what its tasks do.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/chi-bgtasks/chi-bgtasks/bgtasks"
	"github.com/chi-bgtasks/chi-bgtasks/chimw"
	"github.com/chi-bgtasks/chi-bgtasks/internal/soak/plan"
)

func main() {
	ledgerFile := flag.String("ledger", "", "`file` for the ledger")
	maxPending := flag.Int("max-pending", 2000, "most tasks that may be pending")
	maxRunning := flag.Int("max-running", 64, "most lists that run at once")
	grace := flag.Duration("grace", 4*time.Second, "time for a shutdown")
	sendTimeout := flag.Duration("send-timeout", time.Second, "how long a list waits for its response to be sent")
	slow := flag.Float64("slow", 0.1, "part of the connections whose writes take milliseconds")
	flag.Parse()
	ledger, err := plan.OpenLedger(*ledgerFile)
	check(err)
	ledger.Write(plan.Began)
	runner := bgtasks.New(bgtasks.Config{
		Logger:      slog.New(slog.NewTextHandler(io.Discard, nil)), // formats, which is part of the work
		MaxPending:  *maxPending,
		MaxRunning:  *maxRunning,
		SendTimeout: *sendTimeout,
	})
	runner.Observe(observer(ledger))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	err = serve(ctx, &api{ledger, runner}, *grace, *slow)
	var named *bgtasks.ShutdownError
	if errors.As(err, &named) {
		for _, info := range named.Unfinished {
			ledger.Write(plan.Named, info.RequestID, info.Position)
		}
	}
	ledger.Write(plan.Ended)
	if err != nil && named == nil && !errors.Is(err, context.DeadlineExceeded) { // that is the cut-off requests
		check(err)
	}
}

func check(err error) {
	if err != nil {
		log.Fatal("target: ", err)
	}
}

// observer writes down what the runner says that it does, apart from what the tasks do.
func observer(ledger *plan.Ledger) func(bgtasks.Event) {
	return func(e bgtasks.Event) {
		switch e.Kind {
		case bgtasks.Accepted:
			ledger.Write(plan.Accepted, e.Info.RequestID, e.Info.Position, e.Info.Name)
		case bgtasks.Finished, bgtasks.Skipped, bgtasks.Forgotten, bgtasks.Unfinished:
			ledger.Write(plan.Over, e.Info.RequestID, e.Info.Position, e.Kind)
		}
	}
}

// serve serves in cleartext as chimw does, and beside that with TLS, until ctx ends.
func serve(ctx context.Context, a *api, grace time.Duration, slow float64) error {
	plain, secure := newServer(a), newServer(a)
	secure.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate()}}
	chimw.Attach(secure)
	plainListener, secureListener := listen(slow), listen(slow)
	down := make(chan struct{})
	plain.RegisterOnShutdown(func() {
		defer close(down)
		ctx, cancel := context.WithTimeout(context.Background(), grace/2)
		defer cancel()
		if secure.Shutdown(ctx) != nil {
			_ = secure.Close()
		}
	})
	go func() { _ = secure.ServeTLS(secureListener, "", "") }()
	check(json.NewEncoder(os.Stdout).Encode(map[string]string{
		"plain":  plainListener.Addr().String(),
		"secure": secureListener.Addr().String(),
	}))
	err := chimw.Serve(ctx, plain, plainListener, a.runner, grace)
	<-down
	return err
}

func listen(slow float64) net.Listener {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	return watchedListener{ln, slow}
}

func newServer(a *api) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           a.router(),
		Protocols:         protocols,
		ReadHeaderTimeout: 5 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c) // a *watchedConn, or TLS
		},
	}
}

// certificate makes one that signs itself.
func certificate() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	check(err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
