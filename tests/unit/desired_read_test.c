/* desired_read_test.c - what stands in files -> rows, or problems with their places. */
#include "desired_fake.h"

struct row {
	const char *name, *files, *wanted;
};

#define CM(name) "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " name "}\n"

static const struct row rows[] = {
	{"one object gets the destination's namespace", "== a.yaml\n" CM("a"),
	 "ConfigMap|shop|a v1 a.yaml:1#0\n"},
	{"its own namespace stays",
	 "== a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: other}\n",
	 "ConfigMap|other|a v1 a.yaml:1#0\n"},
	{"several documents, empty ones between, comments before",
	 "== x/a.yaml\n# first\n---\n" CM("b") "---\n---\n# second\n" CM("a") "...\n",
	 "ConfigMap|shop|a v1 x/a.yaml:9#1\nConfigMap|shop|b v1 x/a.yaml:3#0\n"},
	{"JSON",
	 "== a.json\n{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\",\n"
	 "\"metadata\": {\"name\": \"a\"}}\n",
	 "ConfigMap|shop|a v1 a.json:1#0\n"},
	{"a List is opened, and so is a typed one",
	 "== a.yaml\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n"
	 "  metadata: {name: a}\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: "
	 "b}\n---\n"
	 "apiVersion: v1\nkind: ConfigMapList\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n"
	 "  metadata: {name: c}\n",
	 "ConfigMap|shop|a v1 a.yaml:4#0 item\nConfigMap|shop|b v1 a.yaml:7#1 item\n"
	 "ConfigMap|shop|c v1 a.yaml:14#2 item\n"},
	{"an empty List is fine", "== a.yaml\napiVersion: v1\nkind: List\nitems: []\n", ""},
	{"files without objects, and others, are left alone",
	 "== README.md\nkind: nonsense\n== values.yaml\nreplicas: 3\n== w.yml\n- a\n- b\n"
	 "== d.json\n{\"panels\": []}\n== e.yaml\n# nothing\n",
	 ""},
	{"cluster-scoped",
	 "== a.yaml\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n",
	 "Namespace||shop v1 a.yaml:1#0\n"},
	{"a kind that is not known stays as it is written",
	 "== a.yaml\napiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\n---\n"
	 "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w, namespace: x}\n",
	 "Widget.example.com|x|w example.com/v1 a.yaml:5#1 unknown\n"
	 "Widget.example.com||w example.com/v1 a.yaml:1#0 unknown\n"},
	{"waves, ours before Argo CD's, and adopt",
	 "== a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  annotations:\n"
	 "    argocd.argoproj.io/sync-wave: \"-3\"\n---\napiVersion: v1\nkind: ConfigMap\n"
	 "metadata:\n  name: b\n  annotations:\n    argocd.argoproj.io/sync-wave: \"1\"\n"
	 "    modelsync.dev/sync-wave: \"2\"\n    modelsync.dev/adopt: \"true\"\n",
	 "ConfigMap|shop|a v1 a.yaml:1#0 wave -3\nConfigMap|shop|b v1 a.yaml:8#1 wave 2 "
	 "adopt\n"},
	{"sync options that ask for what is done anyway",
	 "== a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  annotations:\n"
	 "    argocd.argoproj.io/sync-options: \"ServerSideApply=true, PruneLast=true\"\n",
	 "ConfigMap|shop|a v1 a.yaml:1#0\n"},
	{"names of RBAC may have colons",
	 "== a.yaml\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\n"
	 "metadata: {name: \"system:x\"}\n",
	 "ClusterRole.rbac.authorization.k8s.io||system:x rbac.authorization.k8s.io/v1 "
	 "a.yaml:1#0\n"},
	{"another Application may stand in Git",
	 "== a.yaml\napiVersion: modelsync.dev/v1alpha1\nkind: Application\n"
	 "metadata: {name: other, namespace: agent}\n",
	 "Application.modelsync.dev|agent|other modelsync.dev/v1alpha1 a.yaml:1#0\n"},

	/* ---- Refused ---- */
	{"bad YAML with its place, and the other files' problems with it",
	 "== a.yaml\nkind: [\n== b.yaml\nkind: ConfigMap\nmetadata: {}\n",
	 "a.yaml:2:1: YamlInvalid: did not find expected node content\n"
	 "b.yaml:1:7: NotAnObject: kind \"ConfigMap\" stands without apiVersion; complete the "
	 "object, or move the file out of the path\n"},
	{"a key twice", "== a.yaml\n" CM("a") "kind: Secret\n",
	 "a.yaml:4:1: DuplicateKey: key \"kind\" stands twice in one map (first at line 2)\n"},
	{"bad JSON", "== a.json\n{\"a\": 1,}\n",
	 "a.json:1:9: JsonInvalid: a key in double quotes is wanted, not '}'\n"},
	{"a document without both among objects", "== a.yaml\n" CM("a") "---\nx: 1\n",
	 "a.yaml:5:1: NotAnObject: a document without apiVersion and kind among Kubernetes "
	 "objects; remove it or move it to a file of its own\n"},
	{"a scalar among objects", "== a.yaml\n" CM("a") "---\ntext\n",
	 "a.yaml:5:1: NotAnObject: a string stands here, wanted a Kubernetes object with "
	 "apiVersion and kind\n"},
	{"no kind", "== Chart.yml\napiVersion: v2\nname: x\n",
	 "Chart.yml:1:13: NotAnObject: apiVersion \"v2\" stands without kind; complete the "
	 "object, "
	 "or move the file out of the path\n"},
	{"wrong types and syntax, all of one object together",
	 "== a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: Web_1\n"
	 "  namespace: No_Good\n  labels: {a: 1, b: true}\n  annotations: [x]\n",
	 "a.yaml:4:9: NameInvalid: ConfigMap: metadata.name is \"Web_1\", wanted at most 253 "
	 "lower "
	 "case letters, digits, '-' and '.', with a letter or digit at both ends\n"
	 "a.yaml:5:14: NamespaceInvalid: ConfigMap: metadata.namespace is \"No_Good\", wanted "
	 "at "
	 "most 63 lower case letters, digits and '-'\n"
	 "a.yaml:6:15: FieldInvalid: ConfigMap: metadata.labels: \"a\" is a number, wanted a "
	 "string: put it in quotes\n"
	 "a.yaml:6:21: FieldInvalid: ConfigMap: metadata.labels: \"b\" is a boolean, wanted a "
	 "string: put it in quotes\n"
	 "a.yaml:7:16: FieldInvalid: ConfigMap: metadata.annotations is a list, wanted a map "
	 "of "
	 "strings\n"},
	{"apiVersion and kind syntax",
	 "== a.yaml\napiVersion: a/b/c\nkind: Config Map\nmetadata: {name: a}\n---\n"
	 "apiVersion: 1\nkind: 2\nmetadata: {name: a}\n",
	 "a.yaml:1:13: FieldInvalid: apiVersion is \"a/b/c\", wanted \"group/version\" or "
	 "\"v1\"\n"
	 "a.yaml:2:7: FieldInvalid: kind is \"Config Map\", wanted letters and digits only\n"
	 "a.yaml:5:13: FieldInvalid: apiVersion is a number, wanted a string: put it in "
	 "quotes\n"
	 "a.yaml:6:7: FieldInvalid: kind is a number, wanted a string: put it in quotes\n"},
	{"no metadata, no name, null name, number as name",
	 "== a.yaml\napiVersion: v1\nkind: ConfigMap\n---\napiVersion: v1\nkind: ConfigMap\n"
	 "metadata: {}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: }\n---\n"
	 "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 12}\n",
	 "a.yaml:1:1: FieldMissing: ConfigMap: metadata is missing, wanted a map with a name\n"
	 "a.yaml:6:11: FieldMissing: ConfigMap: metadata.name is missing\n"
	 "a.yaml:10:11: FieldMissing: ConfigMap: metadata.name is missing\n"
	 "a.yaml:14:18: FieldInvalid: ConfigMap: metadata.name is a number, wanted a string: "
	 "put it "
	 "in quotes\n"},
	{"generateName", "== a.yaml\napiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}\n",
	 "a.yaml:3:26: GenerateName: Pod: metadata.generateName would make a new object at "
	 "every "
	 "sync; write metadata.name\n"},
	{"a namespace on a cluster-scoped kind",
	 "== a.yaml\napiVersion: v1\nkind: Namespace\nmetadata: {name: x, namespace: z}\n",
	 "a.yaml:3:32: NamespaceNotAllowed: Namespace x: Namespace is cluster-scoped, and "
	 "metadata.namespace is \"z\"; remove it\n"},
	{"path traversal in a name",
	 "== a.yaml\napiVersion: example.com/v1\nkind: Widget\nmetadata: {name: ../x}\n",
	 "a.yaml:3:18: NameInvalid: Widget: metadata.name is \"../x\", wanted at most 253 "
	 "lower "
	 "case letters, digits, '-' and '.', with a letter or digit at both ends\n"},
	{"two objects with one key, whatever the order of files",
	 "== z.yaml\n" CM("a") "== b.yaml\n---\n" CM("a") "---\n" CM("a"),
	 "b.yaml:6:0: DuplicateObject: ConfigMap shop/a stands here and in b.yaml:2 (document "
	 "1 "
	 "there); keep one\n"
	 "z.yaml:1:0: DuplicateObject: ConfigMap shop/a stands here and in b.yaml:6 (document "
	 "2 "
	 "there); keep one\n"},
	{"removed APIs and what to write instead",
	 "== a.yaml\napiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: a}\n---\n"
	 "apiVersion: policy/v1beta1\nkind: PodSecurityPolicy\nmetadata: {name: a}\n",
	 "a.yaml:1:13: RemovedApi: Ingress a: the API server has no Ingress in "
	 "extensions/v1beta1; "
	 "write networking.k8s.io/v1, since Kubernetes 1.22 removed it\n"
	 "a.yaml:5:13: RemovedApi: PodSecurityPolicy a: the API server has no "
	 "PodSecurityPolicy in "
	 "policy/v1beta1; write Pod Security labels on the namespace, since Kubernetes 1.25 "
	 "removed "
	 "it\n"},
	{"kinds that no Application may manage",
	 "== a.yaml\napiVersion: modelsync.dev/v1alpha1\nkind: TrustPolicy\nmetadata: {name: "
	 "a}\n"
	 "---\napiVersion: modelsync.dev/v1alpha1\nkind: SyncState\nmetadata: {name: a}\n---\n"
	 "apiVersion: modelsync.dev/v1beta1\nkind: Project\nmetadata: {name: a}\n---\n"
	 "apiVersion: modelsync.dev/v1alpha1\nkind: ModelVerdict\nmetadata: {name: a}\n",
	 "a.yaml:2:7: KindNotAllowed: TrustPolicy a: no Application may manage TrustPolicy: "
	 "Git "
	 "can't decide whom to trust; an administrator applies it in the agent's namespace\n"
	 "a.yaml:6:7: KindNotAllowed: SyncState a: no Application may manage SyncState: the "
	 "agent "
	 "alone writes it\n"
	 "a.yaml:10:7: KindNotAllowed: Project a: no Application may manage Project: Git can't "
	 "widen its own fence; an administrator applies it in the agent's namespace\n"
	 "a.yaml:14:7: KindNotAllowed: ModelVerdict a: no Application may manage ModelVerdict: "
	 "the "
	 "agent alone writes it\n"},
	{"the Application that governs the path",
	 "== a.yaml\napiVersion: modelsync.dev/v1alpha1\nkind: Application\n"
	 "metadata: {name: shop, namespace: agent}\n",
	 "a.yaml:2:7: KindNotAllowed: Application shop: this is the Application that governs "
	 "this "
	 "very path; an administrator applies it\n"},
	{"nothing but Applications in the agent's own namespace",
	 "== a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: "
	 "agent}\n---\n"
	 "apiVersion: v1\nkind: Namespace\nmetadata: {name: agent}\n---\n"
	 "apiVersion: modelsync.dev/v1alpha1\nkind: Application\n"
	 "metadata: {name: other, namespace: agent}\n",
	 "a.yaml:2:7: NamespaceNotAllowed: ConfigMap a: namespace agent is the agent's own: "
	 "nothing "
	 "but Applications is managed there\n"
	 "a.yaml:6:7: NamespaceNotAllowed: Namespace agent: namespace agent is the agent's "
	 "own: "
	 "nothing but Applications is managed there\n"},
	{"hooks by name",
	 "== a.yaml\napiVersion: batch/v1\nkind: Job\nmetadata:\n  name: a\n  annotations:\n"
	 "    argocd.argoproj.io/hook: PreSync\n",
	 "a.yaml:6:30: HookNotSupported: Job a: annotation argocd.argoproj.io/hook makes it an "
	 "Argo "
	 "CD hook, which this version does not run; remove the annotation or move the file out "
	 "of "
	 "the path\n"},
	{"waves, adopt and options of no sense",
	 "== a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  annotations:\n"
	 "    argocd.argoproj.io/sync-wave: first\n    modelsync.dev/adopt: \"yes\"\n"
	 "    argocd.argoproj.io/sync-options: Validate=true,Force=true\n",
	 "a.yaml:6:35: WaveInvalid: ConfigMap a: sync wave is \"first\", wanted a whole number "
	 "from "
	 "-1000000 to 1000000\n"
	 "a.yaml:7:26: FieldInvalid: ConfigMap a: annotation modelsync.dev/adopt is \"yes\", "
	 "wanted "
	 "\"true\" or \"false\"\n"
	 "a.yaml:8:38: OptionNotSupported: ConfigMap a: sync option \"Force=true\" is not "
	 "supported "
	 "by this version; remove it\n"},
	{"a Secret's data, never quoted",
	 "== a.yaml\napiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata:\n  p: hunter2!\n"
	 "stringData:\n  pin: 1234\n",
	 "a.yaml:5:6: FieldInvalid: Secret a: data: \"p\" is not base64; plain text goes to "
	 "stringData\n"
	 "a.yaml:7:8: FieldInvalid: Secret a: stringData: \"pin\" is a number, wanted a "
	 "string: put "
	 "it in quotes\n"},
	{"Git LFS",
	 "== a.yaml\nversion https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
	 "a.yaml:1:0: LfsPointer: this is a pointer of Git LFS, not the manifest; manifests "
	 "must be "
	 "plain files in Git\n"},
	{"Kustomize and Helm by name",
	 "== k/kustomization.yaml\nresources: [a.yaml]\n== c/Chart.yaml\nname: x\n",
	 "c/Chart.yaml:0:0: HelmNotSupported: this version reads plain manifests only; commit "
	 "the "
	 "output of `helm template` instead\n"
	 "k/kustomization.yaml:0:0: KustomizeNotSupported: this version reads plain manifests "
	 "only; "
	 "commit the output of `kustomize build` instead\n"},
	{"a List's items are checked",
	 "== a.yaml\napiVersion: v1\nkind: List\nitems:\n- 1\n- apiVersion: v1\n  kind: List\n"
	 "  items: []\n",
	 "a.yaml:4:3: NotAnObject: a number stands here, wanted a Kubernetes object with "
	 "apiVersion "
	 "and kind\n"
	 "a.yaml:5:3: FieldMissing: List: metadata is missing, wanted a map with a name\n"},
};

static void test_read__table(void **state)
{
	size_t bad = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct tree v = {0};
		struct desired_spec spec = fake_spec();
		AUTO(buf) seen = BUF_INIT;

		tree_text(&v, rows[i].files);
		make_text(&v, &spec, &kind_source_builtin, &seen);
		if (strcmp(seen.ptr, rows[i].wanted)) {
			print_error("%s:\nseen\n%swanted\n%s", rows[i].name, seen.ptr,
				    rows[i].wanted);
			bad++;
		}
		tree_clear(&v);
	}
	assert_int_equal(bad, 0);
}

static void test_read__no_namespace_anywhere_names_the_destination(void **state)
{
	struct tree v = {0};
	struct desired_spec spec = fake_spec();
	AUTO(buf) seen = BUF_INIT;

	spec.ns = NULL;
	tree_text(&v, "== a.yaml\n" CM("a"));
	make_text(&v, &spec, &kind_source_builtin, &seen);
	assert_string_equal(
		seen.ptr,
		"a.yaml:3:11: NamespaceMissing: ConfigMap a: metadata.namespace is missing; "
		"write it, or set destination.namespace in Application agent/shop\n");
	tree_clear(&v);
}

static void test_read__links_and_submodules_are_refused_only_as_manifests(void **state)
{
	struct tree v = {0};
	struct desired_spec spec = fake_spec();
	AUTO(buf) seen = BUF_INIT;

	tree_put(&v, "a.yaml", 0120000, "b", 1);
	tree_put(&v, "b", 0120000, "c", 1);
	tree_put(&v, "m.json", 0160000, "", 0);
	tree_put(&v, "n", 0160000, "", 0);
	tree_put(&v, "x.yaml", 0100755, "a: 1", 4);
	make_text(&v, &spec, &kind_source_builtin, &seen);
	assert_string_equal(
		seen.ptr,
		"a.yaml:0:0: Symlink: this is a symbolic link, which is not followed; put "
		"the file itself here\n"
		"m.json:0:0: Submodule: this is a submodule or no file, which is not read; "
		"put the file itself here\n");
	tree_clear(&v);
}

static void test_read__paths(void **state)
{
	static const struct {
		const char *path;
		bool recurse;
		const char *wanted;
	} table[] = {
		{"", false, "ConfigMap|shop|root v1 r.yaml:1#0\n"},
		{".", false, "ConfigMap|shop|root v1 r.yaml:1#0\n"},
		{"d", false, "ConfigMap|shop|d v1 d/d.yaml:1#0\n"},
		{"./d/", false, "ConfigMap|shop|d v1 d/d.yaml:1#0\n"},
		{"d", true,
		 "ConfigMap|shop|d v1 d/d.yaml:1#0\nConfigMap|shop|e v1 d/e/e.yaml:1#0\n"},
		{"d/d.yaml", true, "ConfigMap|shop|d v1 d/d.yaml:1#0\n"},
		{"none", true, "none:0:0: PathMissing: path \"none\": not in this commit\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct tree v = {0};
		struct desired_spec spec = fake_spec();
		AUTO(buf) seen = BUF_INIT;

		spec.path = table[i].path;
		spec.recurse = table[i].recurse;
		tree_text(&v, "== r.yaml\n" CM("root") "== d/d.yaml\n" CM(
				      "d") "== d/e/e.yaml\n" CM("e"));
		make_text(&v, &spec, &kind_source_builtin, &seen);
		assert_row_text(seen.ptr, table[i].wanted, table[i].path);
		tree_clear(&v);
	}
}

static const struct kube_kind *serves_old(void *arg, const char *group, const char *version,
					  const char *kind)
{
	static const struct kube_kind ingress = {.group = "extensions",
						 .version = "v1beta1",
						 .kind = "Ingress",
						 .plural = "ingresses",
						 .namespaced = true};

	return !strcmp(group, "extensions") ? &ingress : NULL;
}

static void test_read__an_old_server_keeps_its_old_apis(void **state)
{
	const struct kind_source kinds = {.find = serves_old};
	struct tree v = {0};
	struct desired_spec spec = fake_spec();
	AUTO(buf) seen = BUF_INIT;

	tree_text(&v, "== a.yaml\napiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: "
		      "{name: a}\n");
	make_text(&v, &spec, &kinds, &seen);
	assert_string_equal(seen.ptr,
			    "Ingress.extensions|shop|a extensions/v1beta1 a.yaml:1#0\n");
	tree_clear(&v);
}

/* ---- Caps: one below, one above ---- */

static void test_caps__objects(void **state)
{
	struct tree v = {0};
	struct desired_spec spec = fake_spec();
	AUTO(problems) problems = {0};
	AUTO(buf) text = BUF_INIT;
	struct desired *d = NULL;

	for (int i = 0; i < DESIRED_MAX_OBJECTS; i++) {
		buf_printf(&text,
			   "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a-%d}\n", i);
		if (i % 5000 == 4999) {
			AUTO_FREE char *path = mem_printf("f%d.yaml", i);
			tree_add(&v, path, text.ptr);
			buf_reset(&text);
		}
	}
	assert_int_equal(tree_make(&v, &spec, &kind_source_builtin, NULL, &d, &problems), 0);
	assert_int_equal(desired_count(d), DESIRED_MAX_OBJECTS);
	desired_free(d);
	tree_add(&v, "g.yaml", CM("one-more"));
	d = NULL;
	assert_int_equal(tree_make(&v, &spec, &kind_source_builtin, NULL, &d, &problems), -1);
	assert_null(d);
	assert_int_equal(problems.list.len, 1);
	assert_string_equal(problems.list.items[0].reason, "TooManyObjects");
	assert_string_equal(problems.list.items[0].file, "g.yaml");
	tree_clear(&v);
}

/* `total` bytes of manifests in files of 2.5 MB that are mostly comment. */
static void fill(struct tree *v, size_t total)
{
	AUTO(buf) text = BUF_INIT;

	for (int i = 0; total; i++) {
		size_t size = total < 2500000 ? total : 2500000;
		AUTO_FREE char *path = mem_printf("f%d.yaml", i);

		buf_reset(&text);
		buf_printf(&text, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a-%d}\n#",
			   i);
		while (text.len < size)
			buf_putc(&text, 'x');
		tree_put(v, path, 0100644, text.ptr, text.len);
		total -= size;
	}
}

static void test_caps__bytes(void **state)
{
	for (int over = 0; over < 2; over++) {
		struct tree v = {0};
		struct desired_spec spec = fake_spec();
		AUTO(problems) problems = {0};
		struct desired *d = NULL;

		fill(&v, DESIRED_MAX_BYTES + (size_t)over);
		assert_int_equal(
			tree_make(&v, &spec, &kind_source_builtin, NULL, &d, &problems), -over);
		assert_int_equal(problems.list.len, over);
		if (over)
			assert_string_equal(problems.list.items[0].reason, "TooLarge");
		desired_free(d);
		tree_clear(&v);
	}
}

static void test_caps__one_file(void **state)
{
	for (int over = 0; over < 2; over++) {
		struct tree v = {0};
		struct desired_spec spec = fake_spec();
		AUTO(buf) text = BUF_INIT, seen = BUF_INIT;

		buf_puts(&text, CM("a") "#");
		while (text.len < GIT_BLOB_MAX + (size_t)over)
			buf_putc(&text, 'x');
		tree_put(&v, "a.yaml", 0100644, text.ptr, text.len);
		make_text(&v, &spec, &kind_source_builtin, &seen);
		assert_string_equal(
			seen.ptr,
			over ? "a.yaml:0:0: FileTooLarge: 3145729 bytes, at most 3145728\n"
			     : "ConfigMap|shop|a v1 a.yaml:1#0\n");
		tree_clear(&v);
	}
}

static void test_caps__problems(void **state)
{
	for (int n = PROBLEMS_MAX; n <= PROBLEMS_MAX + 1; n++) {
		struct tree v = {0};
		struct desired_spec spec = fake_spec();
		AUTO(problems) problems = {0};
		struct desired *d = NULL;

		for (int i = 0; i < n; i++) {
			AUTO_FREE char *path = mem_printf("f%03d.yaml", i);
			tree_add(&v, path, "kind: X\n");
		}
		assert_int_equal(
			tree_make(&v, &spec, &kind_source_builtin, NULL, &d, &problems), -1);
		assert_int_equal(problems.list.len, n);
		assert_string_equal(problems.list.items[99].file, "f099.yaml");
		if (n > PROBLEMS_MAX) {
			assert_string_equal(problems.list.items[100].reason, "TooManyProblems");
			assert_string_equal(problems.list.items[100].text,
					    "1 more problems; mend these first");
		}
		tree_clear(&v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read__table),
		cmocka_unit_test(test_read__no_namespace_anywhere_names_the_destination),
		cmocka_unit_test(test_read__links_and_submodules_are_refused_only_as_manifests),
		cmocka_unit_test(test_read__paths),
		cmocka_unit_test(test_read__an_old_server_keeps_its_old_apis),
		cmocka_unit_test(test_caps__objects),
		cmocka_unit_test(test_caps__bytes),
		cmocka_unit_test(test_caps__one_file),
		cmocka_unit_test(test_caps__problems),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
