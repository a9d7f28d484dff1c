#!/usr/bin/env python3
"""Write the built-in price catalogue, src/domain/price/catalogue.tsv, from public price lists.

    scripts/make_catalogue.py GENAI_PRICES.json LITELLM.json LITELLM_RETIRED.json > src/domain/price/catalogue.tsv

The inputs are not kept in this repository; fetch them from where they are published:
- GENAI_PRICES.json     data of the PyPI package genai-prices (MIT, Pydantic Services Inc.) as JSON, decimals as strings.
                        github.com/pydantic/genai-prices
- LITELLM.json          model_prices_and_context_window.json of LiteLLM (MIT, Berri AI), version 1.109.1.
- LITELLM_RETIRED.json  the same file of version 1.80.0, which still lists the Claude models that are retired today.
                        github.com/BerriAI/litellm

Precedence (docs/pricing.md says why):
1. Claude: genai-prices, which has dates; then the facts below that no list has (CLAUDE_*). Models that only LiteLLM
   lists come from there. Every Claude price is checked against LiteLLM; a difference that is not in KNOWN_ERRORS or in
   CLAUDE_* stops the run.
2. Models whose price changed on a date, of providers in DATED_PROVIDERS: genai-prices.
3. Everything else: LiteLLM. OpenRouter, which LiteLLM does not list: genai-prices.

No price passes through a float: JSON numbers are read as text. Only the standard library is used.
"""

import datetime
import json
import re
import sys
from decimal import ROUND_HALF_EVEN, Decimal

# Facts about Claude that neither list carries. Source: the release notes and pricing pages of platform.claude.com.
# The 1M-context beta above 200k prompt tokens cost double until it was retired (genai-prices has no end date).
CLAUDE_LONG_CONTEXT_END = {"claude-sonnet-4": "2026-04-30", "claude-sonnet-4-5": "2026-04-30"}
# Fast mode: (multiplier, first day without it).
CLAUDE_FAST = {
    "claude-fable-5-2": ("2", None),
    "claude-mythos-5-2": ("2", None),
    "claude-opus-4-6": ("6", "2026-06-29"),
    "claude-opus-4-7": ("6", "2026-07-24"),
    "claude-opus-4-8": ("2", "2026-11-30"),
    "claude-opus-5": ("2", None),
    "claude-opus-5-5": ("2", None),
}
# Sonnet 5.5 cache reads were cut from $0.20 to $0.10 nine days after launch.
CLAUDE_READ_BEFORE = {"claude-sonnet-5-5": ("2026-10-07", "0.2")}
# `inference_geo: "us"` costs 1.1 from the 4.6 generation on.
CLAUDE_WITHOUT_GEO = re.compile(r"claude-(\d|v\d|instant|opus-4(-[015])?$|sonnet-4(-[05])?$|haiku-4)")
CLAUDE_WITHOUT_BATCH = re.compile(r"claude-(2|v1|instant)")
# The rates at which thinking that is reported beside the output is priced (docs/pricing.md).
CLAUDE_SEPARATE_THINKING = {"claude-sonnet-4": "3", "claude-opus-4": "15", "claude-3-5-haiku": "0.8"}
# Our name for a model where genai-prices uses an alias as the name.
CLAUDE_RENAMED = {
    "claude-3-5-haiku-latest": "claude-3-5-haiku",
    "claude-3-7-sonnet-latest": "claude-3-7-sonnet",
    "claude-3-opus-latest": "claude-3-opus",
    "claude-opus-4-0": "claude-opus-4",
    "claude-sonnet-4-0": "claude-sonnet-4",
}
# Errors of the LiteLLM 1.80.0 file: a 1-hour write rate copied from a Sonnet, and an alias with Haiku 4.5's prices.
KNOWN_ERRORS = {
    ("claude-3-haiku-20240307", "write1h"),
    ("claude-3-5-haiku-20241022", "write1h"),
    ("claude-3-opus-20240229", "write1h"),
    ("claude-3-opus-latest", "write1h"),
    ("claude-3-5-haiku-latest", "write1h"),
    ("claude-3-5-haiku-latest", "in"),
    ("claude-3-5-haiku-latest", "out"),
    ("claude-3-5-haiku-latest", "read"),
    ("claude-3-5-haiku-latest", "write"),
}

# genai-prices provider -> ours, where a dated price of theirs is kept.
DATED_PROVIDERS = {"openai": "openai", "google": "google", "x-ai": "xai", "mistral": "mistral"}
# LiteLLM provider -> ours. A provider that is not here keeps its name.
RENAMED_PROVIDERS = {
    "azure_text": "azure", "bedrock_converse": "bedrock", "codestral": "mistral",
    "cohere_chat": "cohere", "gemini": "google", "meta_llama": "meta", "text-completion-codestral": "mistral",
    "text-completion-openai": "openai", "vertex_ai-ai21_models": "vertex_ai", "vertex_ai-anthropic_models": "vertex_ai",
    "vertex_ai-deepseek_models": "vertex_ai", "vertex_ai-language-models": "vertex_ai",
    "vertex_ai-llama_models": "vertex_ai", "vertex_ai-minimax_models": "vertex_ai",
    "vertex_ai-mistral_models": "vertex_ai", "vertex_ai-moonshot_models": "vertex_ai",
    "vertex_ai-openai_models": "vertex_ai", "vertex_ai-qwen_models": "vertex_ai", "vertex_ai-text-models": "vertex_ai",
    "vertex_ai-zai_models": "vertex_ai",
}
# Subscriptions and software that runs at home have no price per token; the rest are copies of other catalogues.
SKIPPED_PROVIDERS = {
    "anthropic", "chatgpt", "clf_ai_gateway", "github_copilot", "inferenceapis", "kyma", "lemonade", "microsoft_365_copilot",
    "ollama", "opencode_go", "qwen_ai_platform", "qwencloud",
}
CHAT_MODES = {"chat", "responses", "completion"}
SERVICE_TIERS = {"batches": "batch", "flex": "flex", "priority": "priority", "ultrafast": "ultrafast"}

LITELLM_RATES = {
    "input_cost_per_token": "in",
    "output_cost_per_token": "out",
    "cache_read_input_token_cost": "read",
    "cache_creation_input_token_cost": "write",
    "cache_creation_input_token_cost_above_1hr": "write1h",
    "cache_creation_input_token_cost_above_12hr": "write1h",
    "output_cost_per_reasoning_token": "think",
}
GENAI_RATES = {
    "input_mtok": "in",
    "output_mtok": "out",
    "cache_read_mtok": "read",
    "cache_write_mtok": "write",
    "cache_write_5m_mtok": "write",
    "cache_write_1h_mtok": "write1h",
    "output_reasoning_mtok": "think",
}
RATE_ORDER = ["in", "out", "read", "write", "write1h", "think"]
LITELLM_KEY = re.compile(
    r"^(?P<rate>" + "|".join(sorted(LITELLM_RATES, key=len, reverse=True)) + r")"
    r"(?:_above_(?P<above>\d+)(?P<kilo>k?)_tokens)?(?:_(?P<service>batches|flex|priority|ultrafast))?$"
)
DATE_SUFFIX = re.compile(r"(-\d{8}|-\d{4}-\d{2}-\d{2}|@\d{8}|@default|-v\d+:\d+)$")


def main(genai_path, litellm_path, retired_path):
    genai = {provider["id"]: provider for provider in read_json(genai_path)}
    litellm, retired = read_json(litellm_path), read_json(retired_path)
    cards = claude_cards(genai["anthropic"], litellm, retired)
    dated = dated_cards(genai, litellm)
    cards += dated
    taken = {(card["provider"], name) for card in dated for name in [card["model"], *card["aliases"]]}
    cards += [card for card in litellm_cards(litellm) if (card["provider"], card["model"]) not in taken]
    cards += openrouter_cards(genai["openrouter"])
    write(without_dated_copies(unique(cards)))


def read_json(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file, parse_float=str, parse_int=str)


# Claude


def claude_cards(provider, litellm, retired):
    cards = []
    for model in provider["models"]:
        name = CLAUDE_RENAMED.get(model["id"], model["id"])
        for card in genai_cards("anthropic", name, model):
            card["aliases"] = claude_aliases(name, model, [*litellm, *retired])
            cards.append(card)
    names = {card["model"] for card in cards}
    for key, entry in litellm.items():
        name = DATE_SUFFIX.sub("", key)
        if entry.get("litellm_provider") == "anthropic" and name not in names:
            cards.append(litellm_card("anthropic", name, entry))
            names.add(name)
    cards = [dated for card in cards for dated in with_claude_facts(card)]
    check_against_litellm(cards, litellm, retired)
    return cards


def claude_aliases(name, model, litellm_names):
    """The other full names in use, such as `claude-4-sonnet`; patterns, stems and dated names are left out."""
    clauses = model["match"].get("or", [model["match"]])
    found = {clause.get("equals") or clause.get("starts_with", "") for clause in clauses}
    found |= {model["id"], *(key for key in litellm_names if key == f"{name}-latest")}
    found = {alias.rstrip("@") for alias in found if not DATE_SUFFIX.search(alias)}
    return sorted(alias for alias in found if alias and alias != name and not alias.endswith("-2025"))


def with_claude_facts(card):
    """Cut a Claude card into dated ones and add what the price lists lack."""
    name, cards = card["model"], [card]
    terms = card["terms"]
    if not CLAUDE_WITHOUT_BATCH.match(name):
        terms["batch"] = "0.5"
    if not CLAUDE_WITHOUT_GEO.match(name):
        terms["geo:us"] = "1.1"
    if name in CLAUDE_SEPARATE_THINKING:
        card["rates"][0]["think"] = CLAUDE_SEPARATE_THINKING[name]
    if name in CLAUDE_LONG_CONTEXT_END:
        long = {rate: price * (Decimal("1.5") if rate == "out" else 2)
                for rate, price in decimals(card["rates"][0]).items() if rate != "think"}
        if "think" in card["rates"][0]:
            long["think"] = card["rates"][0]["think"]
        card["rates"] = {0: card["rates"][0], 200_000: long}
        later = successor(card, CLAUDE_LONG_CONTEXT_END[name])
        later["rates"] = {0: card["rates"][0]}
        cards.append(later)
    if name in CLAUDE_READ_BEFORE:
        day, before = CLAUDE_READ_BEFORE[name]
        cards.append(successor(card, day))
        card["rates"] = {0: {**card["rates"][0], "read": before}}
    if name in CLAUDE_FAST:
        multiplier, end = CLAUDE_FAST[name]
        for each in cards:
            if end is None or each["from"] < end:
                each["terms"]["fast"] = multiplier
        # Only the last card of a model runs into the end of its fast mode.
        if end and (card["from"] or not has_tiers(card)):
            later = successor(cards[-1], end)
            del later["terms"]["fast"]
            cards.append(later)
    return cards


def has_tiers(card):
    return len(card["rates"]) > 1


def successor(card, day):
    return {**card, "from": day, "terms": dict(card["terms"]), "rates": dict(card["rates"])}


def check_against_litellm(cards, litellm, retired):
    """Stop if LiteLLM's price for a Claude model differs from ours and we do not know why."""
    latest = {}
    for card in cards:
        for name in [card["model"], *card["aliases"]]:
            latest[name] = card
    surprises = []
    for source in (litellm, retired):
        for key, entry in source.items():
            card = latest.get(key) or latest.get(DATE_SUFFIX.sub("", key))
            if card is None or entry.get("litellm_provider") != "anthropic":
                continue
            theirs = decimals(litellm_card("anthropic", key, entry)["rates"][0])
            ours = decimals(card["rates"][0])
            surprises += [f"{key} {rate}: we have {ours.get(rate)}, LiteLLM {price}" for rate, price in theirs.items()
                          if rate != "think" and ours.get(rate) != price and (key, rate) not in KNOWN_ERRORS]
    if surprises:
        sys.exit("the price lists disagree:\n" + "\n".join(surprises))


# The other providers


def dated_cards(genai, litellm):
    """Models with a price history in genai-prices; what LiteLLM knows about service tiers is added."""
    cards = []
    for theirs, provider in DATED_PROVIDERS.items():
        for model in genai[theirs]["models"]:
            prices = model["prices"]
            if isinstance(prices, dict) or model["id"].startswith("claude") or not all(is_by_date(p) for p in prices):
                continue
            entry = litellm.get(model["id"]) or litellm.get(f"{provider}/{model['id']}")
            terms = litellm_card(provider, model["id"], entry)["terms"] if entry else {}
            for card in genai_cards(provider, model["id"], model):
                card["terms"] = {**terms, **card["terms"]}
                clauses = model["match"].get("or", [model["match"]])
                names = {clause["equals"] for clause in clauses if "equals" in clause}
                card["aliases"] = sorted(names - {model["id"]})
                cards.append(card)
    return [card for card in cards if card["rates"][0]]


def is_by_date(price):
    constraint = price.get("constraint")
    return constraint is None or "start_date" in constraint


def genai_cards(provider, name, model):
    prices = model["prices"] if isinstance(model["prices"], list) else [{"prices": model["prices"]}]
    for price in prices:
        rates, terms = genai_rates(price["prices"])
        yield {"provider": provider, "model": name, "from": (price.get("constraint") or {}).get("start_date", ""),
               "rates": rates, "services": {}, "terms": terms, "source": "genai-prices", "aliases": []}


def genai_rates(prices):
    rates, terms = {0: {}}, {}
    for key, price in prices.items():
        if key == "web_searches_kcount":
            terms["search"] = text(Decimal(price) / 1000)
        rate = GENAI_RATES.get(key)
        if rate is None:
            continue
        if isinstance(price, str):
            rates[0][rate] = price
            continue
        rates[0][rate] = price["base"]
        for tier in price["tiers"]:
            rates.setdefault(int(tier["start"]), {})[rate] = tier["price"]
    for above, tier in rates.items():
        if above:
            # A rate without a tier of its own stays what it is.
            rates[above] = {**rates[0], **tier}
    return rates, terms


def litellm_cards(litellm):
    cards = []
    for key, entry in litellm.items():
        theirs = entry.get("litellm_provider", "")
        provider = RENAMED_PROVIDERS.get(theirs, theirs)
        if entry.get("mode") not in CHAT_MODES or theirs in SKIPPED_PROVIDERS or "input_cost_per_request" in entry:
            continue
        # Prices of one region or of reserved capacity cannot be told from a usage object.
        if provider in ("bedrock", "azure") and key.count("/") > 1 or key.startswith(("ft:", "1024", "512")):
            continue
        prefix = next((prefix for prefix in (theirs, provider) if key.startswith(f"{prefix}/")), "")
        name = key.removeprefix(f"{prefix}/")
        card = litellm_card(provider, name, entry)
        base = card["rates"][0]
        # Nought and nought mean "not known" in this file more often than "free".
        if "in" in base and "out" in base and (Decimal(base["in"]) or Decimal(base["out"])):
            cards.append(card)
    return cards


def litellm_card(provider, name, entry):
    rates, services, terms = {"": {0: {}}}, {}, {}
    for key, price in entry.items():
        found = LITELLM_KEY.match(key)
        if not found or not isinstance(price, str):
            continue
        above = int(found["above"] or 0) * (1000 if found["kilo"] else 1)
        # xAI counts "from N tokens on", everyone else "above N tokens".
        above -= 1 if above and provider == "xai" else 0
        service = SERVICE_TIERS.get(found["service"] or "", "")
        tier = rates.setdefault(service, {}).setdefault(above, {})
        # A provider may give both a 1-hour and a 12-hour write; the table has one long write.
        tier[LITELLM_RATES[found["rate"]]] = per_million(price)
    for tier in entry.get("tiered_pricing") or []:
        if isinstance(tier.get("range"), list) and "input_cost_per_token" in tier:
            above = int(Decimal(tier["range"][0]))
            rates[""][above] = {LITELLM_RATES[key]: per_million(price) for key, price in tier.items()
                                if key in LITELLM_RATES}
    base = completed(rates.pop(""))
    for service, table in rates.items():
        ratios = {Decimal(price) / Decimal(base[above][rate]) for above, tier in table.items() if above in base
                  for rate, price in tier.items() if Decimal(base[above].get(rate, 0))}
        if len(ratios) == 1 and len(text(next(iter(ratios)))) <= 5:
            terms[service] = text(next(iter(ratios)))
        elif {"in", "out"} <= set(table.get(0, {})) and set(table) == set(base):
            # A service tier that lacks a context tier is left out: what a long prompt costs there is not known.
            services[service] = completed({above: {**base.get(above, {}), **tier} for above, tier in table.items()})
    fee = (entry.get("search_context_cost_per_query") or {}).get("search_context_size_medium")
    if fee and Decimal(fee) and provider != "google":
        terms["search"] = text(Decimal(fee))
    if entry.get("off_peak_pricing"):
        terms["varies"] = "1"
    if provider == "openai" and "regional_processing_uplift_multiplier_us" in entry:
        terms["geo:us"] = terms["geo:eu"] = entry["regional_processing_uplift_multiplier_us"]
    return {"provider": provider, "model": name, "from": "", "rates": base, "services": services, "terms": terms,
            "source": "litellm", "aliases": []}


def completed(rates):
    """Give every context tier all the rates that the base has, and drop a thinking rate that says nothing."""
    base = rates.get(0, {})
    whole = {}
    for above in sorted(rates):
        tier = {**base, **rates[above]}
        if tier.get("think") == tier.get("out") or (above and "think" not in rates[above]):
            tier.pop("think", None)
        whole[above] = tier
    return whole


def openrouter_cards(provider):
    """The price that holds today: OpenRouter's own history is about its hosts, not about a list price."""
    cards = []
    for model in provider["models"]:
        history = [card for card in genai_cards("openrouter", model["id"], model)]
        free = model["id"].endswith(":free")
        card = {**history[-1], "from": ""}
        base = card["rates"][0]
        if {"in", "out"} <= set(base) and (free or Decimal(base["in"]) or Decimal(base["out"])):
            cards.append(card)
    return cards


# Writing


def unique(cards):
    """One card per model and day: the first one listed wins."""
    kept = {}
    for card in cards:
        kept.setdefault((card["provider"], card["model"].lower(), card["from"]), card)
    return list(kept.values())


def without_dated_copies(cards):
    """A dated name with the price of the undated one says nothing: the look-up strips dates."""
    lines = {(card["provider"], card["model"].lower()): columns(card)[2:] for card in cards if not card["from"]}
    histories = {(card["provider"], card["model"].lower()) for card in cards if card["from"]}
    kept = []
    for card in cards:
        stem = (card["provider"], strip_suffixes(card["model"].lower()))
        is_copy = stem[1] != card["model"].lower() and stem not in histories and lines.get(stem) == columns(card)[2:]
        if not is_copy:
            kept.append(card)
    return kept


def strip_suffixes(name):
    while DATE_SUFFIX.search(name):
        name = DATE_SUFFIX.sub("", name)
    return name


def write(cards):
    print("# Prices in US dollars per million tokens. Made by scripts/make_catalogue.py; do not edit by hand.")
    print(f"# Made on {datetime.date.today().isoformat()} from genai-prices 0.2.3 and LiteLLM 1.109.1 and 1.80.0 (both MIT,")
    print("# see licences/). Columns, parted by tabs: provider, model, first day (UTC; - is always), rates, terms, source, aliases.")
    print("# Rates: `>N` starts the rates of prompts above N tokens, `@name` those of a service tier. A card ends where the")
    print("# next card of its model begins.")
    for line in sorted(columns(card) for card in cards):
        print("\t".join(line))


def columns(card):
    rates = table(card["rates"])
    for service in sorted(card["services"]):
        rates += f" @{service} {table(card['services'][service])}"
    terms = " ".join(f"{name}={text(Decimal(value))}" for name, value in sorted(card["terms"].items()))
    return [card["provider"], card["model"].lower(), card["from"] or "-", rates, terms or "-", card["source"],
            " ".join(card["aliases"]) or "-"]


def table(rates):
    parts = []
    for above in sorted(rates):
        parts += [f">{above}"] if above else []
        parts += [f"{rate}={text(whole_pico(Decimal(rates[above][rate])))}" for rate in RATE_ORDER if rate in rates[above]]
    return " ".join(parts)


def decimals(rates):
    return {rate: Decimal(price) for rate, price in rates.items()}


def per_million(price):
    """Dollars per token to dollars per million."""
    return str(whole_pico(Decimal(price) * 1_000_000))


def whole_pico(price):
    """Dollars per million in whole pico-dollars per token: rounds away float noise, which no Claude price has."""
    return price.quantize(Decimal("0.000001"), ROUND_HALF_EVEN)


def text(number):
    return format(Decimal(number).normalize(), "f")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
