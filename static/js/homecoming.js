// Progressive enhancement only: every page works without this file.
import { confirmForms } from "./confirm.js";
import { countQueries } from "./count.js";
import { focusKeys } from "./keys.js";
import { liveSearch } from "./search.js";
import { refreshBlocks } from "./refresh.js";
import { submitOnce } from "./submit.js";

confirmForms();
submitOnce();
focusKeys();
liveSearch();
countQueries();
refreshBlocks();
