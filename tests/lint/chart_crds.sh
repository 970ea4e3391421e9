#!/bin/sh
# chart_crds.sh: copy the CRDs of manifests-schema into the chart (Helm wants plain files there).
set -eu
cd "$(dirname "$0")/../.."
rm -f charts/modelsync/crds/*.yaml
grep -l '^kind: CustomResourceDefinition' manifests-schema/*.yaml | xargs -I{} cp {} charts/modelsync/crds/
