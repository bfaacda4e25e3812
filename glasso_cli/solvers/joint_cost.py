"""tmp"""
def check_time(p, largest, K): pass
