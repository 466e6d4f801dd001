// Serves the series of a text exposition as client_golang would have them: one GaugeVec a family, one child a series.
// Usage: client-golang FILE ADDRESS
package main

import (
	"bufio"
	"log"
	"net/http"
	"os"
	"sort"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

func main() {
	file, err := os.Open(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	families, err := new(expfmt.TextParser).TextToMetricFamilies(bufio.NewReader(file))
	if err != nil {
		log.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	for name, family := range families {
		register(registry, name, family)
	}
	options := promhttp.HandlerOpts{DisableCompression: true}
	http.Handle("/metrics", promhttp.HandlerFor(registry, options))
	log.Fatal(http.ListenAndServe(os.Args[2], nil))
}

// What is no gauge or counter is left out: it is a handful of series.
func register(registry *prometheus.Registry, name string, family *dto.MetricFamily) {
	vectors := map[string]*prometheus.GaugeVec{}
	for _, metric := range family.Metric {
		value := metric.GetGauge().GetValue() + metric.GetCounter().GetValue() + metric.GetUntyped().GetValue()
		labels := prometheus.Labels{}
		names := []string{}
		for _, pair := range metric.Label {
			labels[pair.GetName()] = pair.GetValue()
			names = append(names, pair.GetName())
		}
		sort.Strings(names)
		key := ""
		for _, each := range names {
			key += each + ","
		}
		if vectors[key] == nil {
			options := prometheus.GaugeOpts{Name: name, Help: family.GetHelp()}
			vectors[key] = prometheus.NewGaugeVec(options, names)
			if registry.Register(vectors[key]) != nil {
				continue
			}
		}
		vectors[key].With(labels).Set(value)
	}
}
