SEARCH_FILE = "search.json"
