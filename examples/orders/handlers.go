package main

import (
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/go-chi/render"
)

// An api answers the requests.
type api struct {
	dir        string // of files; newAPI has made those in it
	store      *Store
	workflow   *workflow
	durable    queue // nil: steps are kept in memory
	mailer     Mailer
	keeper     string // the address of the shop's keeper
	webhook    *Webhook
	crm        *CRM
	crmTimeout time.Duration
	feed       *feed
	debug      debugPage
	riverUI    http.Handler // nil: there is none
	faults     bool         // whether clients may ask for a step to go wrong
}

func newAPI(cfg *config, dir string, store *Store, mailer Mailer, feed *feed) (*api, error) {
	for _, name := range []string{"thumbnails", "reports", "temp"} {
		if err := os.MkdirAll(filepath.Join(dir, name), private); err != nil {
			return nil, err
		}
	}
	webhook := newWebhook(cfg.webhook)
	return &api{
		dir:   dir,
		store: store,
		workflow: &workflow{
			store:          store,
			mailer:         mailer,
			webhook:        webhook,
			mailTimeout:    cfg.mailTimeout,
			webhookTimeout: cfg.webhookTimeout,
		},
		mailer:     mailer,
		keeper:     cfg.keeper,
		webhook:    webhook,
		crm:        newCRM(cfg.crm),
		crmTimeout: cfg.crmTimeout,
		feed:       feed,
		faults:     cfg.faults,
	}, nil
}

const latest = 50

// createOrder stores the order and answers; its steps follow. The steps are added before
// the order is committed, so that an order that is answered has them, and none has that is
// not.
func (a *api) createOrder(w http.ResponseWriter, r *http.Request) {
	var in orderInput
	if !accept(w, r, &in) {
		return
	}
	fault, err := a.fault(r)
	if err != nil {
		fail(w, r, err)
		return
	}
	o := Order{CustomerID: in.CustomerID, Email: in.Email, Items: in.Items}
	err = a.store.CreateOrder(r.Context(), &o, stepNames, func(tx Tx) error {
		if a.durable != nil {
			return a.durable.add(r.Context(), tx, o, fault)
		}
		return a.workflow.add(r.Context(), o, instead(fault))
	})
	if err != nil {
		forgetSteps(r.Context())
		fail(w, r, err)
		return
	}
	render.Status(r, http.StatusCreated)
	render.JSON(w, r, map[string]any{
		"order_id": o.ID,
		"status":   "created",
		"message":  "Order created, processing in background",
	})
}

func (a *api) listOrders(w http.ResponseWriter, r *http.Request) {
	orders, err := a.store.Orders(r.Context(), latest)
	answer(w, r, orders, err)
}

func (a *api) getOrder(w http.ResponseWriter, r *http.Request) {
	id, err := number(r, ErrNoOrder)
	if err != nil {
		fail(w, r, err)
		return
	}
	order, err := a.store.Order(r.Context(), id)
	answer(w, r, order, err)
}

func (a *api) listItems(w http.ResponseWriter, r *http.Request) {
	items, err := a.store.Items(r.Context())
	answer(w, r, items, err)
}

func answer(w http.ResponseWriter, r *http.Request, v any, err error) {
	if err != nil {
		fail(w, r, err)
		return
	}
	render.JSON(w, r, v)
}
