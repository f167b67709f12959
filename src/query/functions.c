/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that an expression may call, and words that it may not use. A name that is in
 * neither list is unknown: what a newer libjq brings is not run before somebody has looked at it. */
#include "query/internal.h"
#include "base/mem.h"

/* Of jq 1.6, all but those that reach outside of the value; then those of newer ones and of yq that
 * prelude.c defines or that have another name in jq. Sorted by name and arity. */
static const struct query_function functions[] = {
    {"IN", 1, NULL},
    {"IN", 2, NULL},
    {"INDEX", 1, NULL},
    {"INDEX", 2, NULL},
    {"abs", 0, "_q_abs"},
    {"add", 0, NULL},
    {"add", 1, "_q_sum"},
    {"all", 0, NULL},
    {"all", 1, NULL},
    {"all", 2, NULL},
    {"all_c", 1, "all"},
    {"any", 0, NULL},
    {"any", 1, NULL},
    {"any", 2, NULL},
    {"any_c", 1, "any"},
    {"arrays", 0, NULL},
    {"ascii_downcase", 0, NULL},
    {"ascii_upcase", 0, NULL},
    {"booleans", 0, NULL},
    {"capture", 1, NULL},
    {"capture", 2, NULL},
    {"ceil", 0, NULL},
    {"combinations", 0, NULL},
    {"combinations", 1, NULL},
    {"contains", 1, NULL},
    {"del", 1, NULL},
    {"delpaths", 1, NULL},
    {"di", 0, "_q_first_document"},
    {"documentIndex", 0, "_q_first_document"},
    {"document_index", 0, "_q_first_document"},
    {"downcase", 0, "ascii_downcase"},
    {"empty", 0, NULL},
    {"endswith", 1, NULL},
    {"error", 0, NULL},
    {"error", 1, NULL},
    {"exp", 0, NULL},
    {"exp10", 0, NULL},
    {"exp2", 0, NULL},
    {"explode", 0, NULL},
    {"fabs", 0, NULL},
    {"filter", 1, "_q_filter"},
    {"finites", 0, NULL},
    {"first", 0, NULL},
    {"first", 1, NULL},
    {"flatten", 0, NULL},
    {"flatten", 1, NULL},
    {"floor", 0, NULL},
    {"from_entries", 0, NULL},
    {"from_json", 0, "fromjson"},
    {"fromdate", 0, NULL},
    {"fromdateiso8601", 0, NULL},
    {"fromjson", 0, NULL},
    {"fromstream", 1, NULL},
    {"getpath", 1, NULL},
    {"gmtime", 0, NULL},
    {"group_by", 1, NULL},
    {"gsub", 2, "_q_gsub"},
    {"gsub", 3, "_q_gsub"},
    {"has", 1, NULL},
    {"implode", 0, NULL},
    {"in", 1, NULL},
    {"index", 1, NULL},
    {"indices", 1, NULL},
    {"infinite", 0, NULL},
    {"inside", 1, NULL},
    {"isempty", 1, NULL},
    {"isfinite", 0, NULL},
    {"isinfinite", 0, NULL},
    {"isnan", 0, NULL},
    {"isnormal", 0, NULL},
    {"iterables", 0, NULL},
    {"join", 1, NULL},
    {"keys", 0, NULL},
    {"keys_unsorted", 0, NULL},
    {"kind", 0, "_q_kind"},
    {"last", 0, NULL},
    {"last", 1, NULL},
    {"leaf_paths", 0, NULL},
    {"length", 0, NULL},
    {"limit", 2, NULL},
    {"log", 0, NULL},
    {"log10", 0, NULL},
    {"log2", 0, NULL},
    {"ltrim", 0, "_q_ltrim"},
    {"ltrimstr", 1, NULL},
    {"map", 1, NULL},
    {"map_values", 1, NULL},
    {"match", 1, NULL},
    {"match", 2, NULL},
    {"max", 0, NULL},
    {"max_by", 1, NULL},
    {"min", 0, NULL},
    {"min_by", 1, NULL},
    {"mktime", 0, NULL},
    {"modf", 0, NULL},
    {"nan", 0, NULL},
    {"normals", 0, NULL},
    {"not", 0, NULL},
    {"now", 0, NULL},
    {"nth", 1, NULL},
    {"nth", 2, NULL},
    {"nulls", 0, NULL},
    {"numbers", 0, NULL},
    {"objects", 0, NULL},
    {"omit", 1, "_q_omit"},
    {"path", 1, NULL},
    {"paths", 0, NULL},
    {"paths", 1, NULL},
    {"pick", 1, "_q_pick"},
    {"pow", 2, NULL},
    {"range", 1, NULL},
    {"range", 2, NULL},
    {"range", 3, NULL},
    {"recurse", 0, NULL},
    {"recurse", 1, NULL},
    {"recurse", 2, NULL},
    {"repeat", 1, NULL},
    {"reverse", 0, NULL},
    {"rindex", 1, NULL},
    {"round", 0, NULL},
    {"rtrim", 0, "_q_rtrim"},
    {"rtrimstr", 1, NULL},
    {"scalars", 0, NULL},
    {"scan", 1, NULL},
    {"select", 1, NULL},
    {"setpath", 2, NULL},
    {"sort", 0, NULL},
    {"sort_by", 1, NULL},
    {"sort_keys", 1, "_q_sort_keys"},
    {"split", 1, NULL},
    {"split", 2, NULL},
    {"splits", 1, NULL},
    {"splits", 2, NULL},
    {"sqrt", 0, NULL},
    {"startswith", 1, NULL},
    {"strftime", 1, NULL},
    {"strings", 0, NULL},
    {"strptime", 1, NULL},
    {"sub", 2, NULL},
    {"sub", 3, "_q_sub_flags"},
    {"test", 1, NULL},
    {"test", 2, NULL},
    {"to_entries", 0, NULL},
    {"to_json", 0, "tojson"},
    {"to_number", 0, "tonumber"},
    {"to_string", 0, "tostring"},
    {"toarray", 0, "_q_toarray"},
    {"todate", 0, NULL},
    {"todateiso8601", 0, NULL},
    {"tojson", 0, NULL},
    {"tonumber", 0, NULL},
    {"tostream", 0, NULL},
    {"tostring", 0, NULL},
    {"transpose", 0, NULL},
    {"trim", 0, "_q_trim"},
    {"trunc", 0, NULL},
    {"truncate_stream", 1, NULL},
    {"type", 0, NULL},
    {"unique", 0, "_q_unique"},
    {"unique_by", 1, "_q_unique_by"},
    {"until", 2, NULL},
    {"upcase", 0, "ascii_upcase"},
    {"utf8bytelength", 0, NULL},
    {"values", 0, NULL},
    {"walk", 1, NULL},
    {"while", 2, NULL},
    {"with", 2, "_q_update"},
    {"with_entries", 1, NULL},
};

static const char no_env[] = "env operations have been disabled";
static const char no_file[] = "file operations have been disabled";
static const char no_system[] = "system operations have been disabled";
static const char no_input[] = "there is no further input, an expression sees one value";
static const char no_output[] = "an expression gives values and writes nothing else";
static const char no_text[] = "an expression sees the values of a YAML file, and not its comments, "
                              "styles, tags and anchors, which stay as they are";
static const char no_place[] = "a value has no place in a file";
static const char no_format[] = "only JSON is read and written here";

static const struct {
    const char *word, *why;
} refusals[] = {
    {"env", no_env},
    {"strenv", no_env},
    {"envsubst", no_env},
    {"load", no_file},
    {"load_str", no_file},
    {"load_xml", no_file},
    {"load_props", no_file},
    {"load_base64", no_file},
    {"strload", no_file},
    {"import", no_file},
    {"include", no_file},
    {"module", no_file},
    {"modulemeta", no_file},
    {"get_search_list", no_file},
    {"filename", no_file},
    {"file_index", no_file},
    {"fileIndex", no_file},
    {"fi", no_file},
    {"input_filename", no_file},
    {"input_line_number", no_file},
    {"eval", "an expression cannot be made of a text"},
    {"system", no_system},
    {"input", no_input},
    {"inputs", no_input},
    {"debug", no_output},
    {"stderr", no_output},
    {"halt", no_output},
    {"halt_error", no_output},
    {"splitDoc", no_output},
    {"split_doc", no_output},
    {"style", no_text},
    {"tag", no_text},
    {"anchor", no_text},
    {"alias", no_text},
    {"comments", no_text},
    {"line_comment", no_text},
    {"lineComment", no_text},
    {"head_comment", no_text},
    {"headComment", no_text},
    {"foot_comment", no_text},
    {"footComment", no_text},
    {"line", no_place},
    {"column", no_place},
    {"key", no_place},
    {"parent", no_place},
    {"ref", "`as` gives a value a name; change it by its path"},
    {"from_yaml", no_format},
    {"to_yaml", no_format},
    {"from_xml", no_format},
    {"to_xml", no_format},
    {"from_props", no_format},
    {"to_props", no_format},
    {"from_csv", no_format},
    {"to_csv", no_format},
    {"from_tsv", no_format},
    {"to_tsv", no_format},
};

const struct query_function *query_function_find(const char *name, unsigned arity)
{
    for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
        if (functions[i].arity == arity && streq(functions[i].name, name))
            return &functions[i];
    return NULL;
}

bool query_function_known(const char *name, struct sbuf *ret_arities)
{
    unsigned n = 0, last = 0;

    for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
        if (!streq(functions[i].name, name))
            continue;
        last = functions[i].arity;
        if (n++)
            sbuf_addstr(ret_arities, " or ");
        if (last)
            sbuf_addf(ret_arities, "%u", last);
        else
            sbuf_addstr(ret_arities, "no");
    }
    if (n)
        sbuf_addstr(ret_arities, last == 1 ? " argument" : " arguments");
    return n > 0;
}

const char *query_refusal(const char *word)
{
    for (size_t i = 0; i < ARRAY_SIZE(refusals); i++)
        if (streq(refusals[i].word, word))
            return refusals[i].why;
    return NULL;
}

const char *const *query_function_names(size_t *ret_n)
{
    static const char *names[ARRAY_SIZE(functions)];

    for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
        names[i] = functions[i].name;
    *ret_n = ARRAY_SIZE(functions);
    return names;
}

const struct query_function *query_functions(size_t *ret_n)
{
    *ret_n = ARRAY_SIZE(functions);
    return functions;
}
