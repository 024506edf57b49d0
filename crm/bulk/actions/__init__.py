"""The bulk actions that the crm package brings; other packages register theirs."""
